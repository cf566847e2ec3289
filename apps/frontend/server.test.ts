// @vitest-environment node
// The built page, served by a real nginx with the very nginx.conf.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

let folder: string;
let url: string;
let nginx: ChildProcess;
let log = "";

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}

function replace(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`nginx.conf has no ${from}`);
  return text.replaceAll(from, to);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "frontend-test-"));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;

  // Only places differ from the image.
  let config = await readFile("nginx.conf", "utf8");
  config = replace(config, " /tmp/", ` ${folder}/`);
  config = replace(config, "listen 8080;", `listen 127.0.0.1:${port};`);
  config = replace(config, "root /usr/share/frontend;", `root ${resolve("dist")};`);
  config = replace(config, "/dev/stdout", `${folder}/access.log`);
  // Started by root, nginx would change to a user that may not read the page.
  if (process.getuid?.() === 0) config = `user root;\n${config}`;
  await writeFile(join(folder, "nginx.conf"), config);

  // The image's nginx, Debian 13's, which only root can run on another release.
  const [command, before] = process.getuid?.() === 0 ? ["../../bin/trixie", ["/usr/sbin/nginx"]] : ["/usr/sbin/nginx", []];
  nginx = spawn(command, [...before, "-e", "stderr", "-c", join(folder, "nginx.conf"), "-g", "daemon off;"]);
  nginx.stderr!.on("data", (text) => (log += text));
  await vi.waitFor(() => fetch(`${url}/healthz`), { timeout: 10_000 });
});

afterAll(async () => {
  if (nginx.exitCode === null) {
    nginx.kill("SIGQUIT");
    await once(nginx, "exit");
  }
  await rm(folder, { recursive: true });
});

const asset = async (end: string) => {
  const name = (await readdir("dist/assets")).find((file) => file.endsWith(end));
  return `/assets/${name}`;
};

test("nginx has nothing to complain about", () => {
  expect(log).toBe("");
});

test.each(["/", "/index.html", "/items/42", "/deep/er/route?x=1"])("%s is the page, asked for anew each time", async (path) => {
  const answer = await fetch(url + path);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain('<div id="root">');
  expect(answer.headers.get("Content-Type")).toBe("text/html");
  expect(answer.headers.get("Cache-Control")).toBe("no-cache");
});

test.each([".js", ".css"])("a %s asset is compressed and cached for good", async (end) => {
  const answer = await fetch(url + (await asset(end)));
  expect(answer.status).toBe(200);
  expect(answer.headers.get("Content-Encoding")).toBe("gzip");
  expect(answer.headers.get("Cache-Control")).toBe("public, max-age=31536000, immutable");
});

test("an asset that is gone is a 404 that nobody keeps", async () => {
  const answer = await fetch(`${url}/assets/index-of-last-week.js`);
  expect(answer.status).toBe(404);
  expect(answer.headers.get("Cache-Control")).toBeNull();
});

test("an asset that is unchanged is not sent again", async () => {
  const path = await asset(".js");
  const etag = (await fetch(url + path)).headers.get("ETag")!;
  expect((await fetch(url + path, { headers: { "If-None-Match": etag } })).status).toBe(304);
});

test("every answer names the pod, and none the version of nginx", async () => {
  for (const path of ["/", "/healthz", "/assets/none.js"]) {
    const answer = await fetch(url + path);
    expect(answer.headers.get("X-Served-By")).toBe(hostname().toLowerCase());
    expect(answer.headers.get("Server")).toBe("nginx");
    expect(await answer.text()).not.toMatch(/nginx\/\d/);
  }
});

test("each request is one line of JSON, except for probes", async () => {
  await fetch(`${url}/healthz`, { headers: { "X-Request-ID": "probe" } });
  await fetch(`${url}/"quoted"?secret=1`, { headers: { "X-Request-ID": "find-me" } });
  const lines = await vi.waitFor(async () => {
    const text = await readFile(join(folder, "access.log"), "utf8");
    expect(text).toContain("find-me");
    return text.trim().split("\n").map((line) => JSON.parse(line));
  });
  expect(lines.find((line) => line.request_id === "find-me")).toMatchObject({
    method: "GET",
    path: "/%22quoted%22",
    status: 200,
  });
  expect(lines.some((line) => line.request_id === "probe")).toBe(false);
  expect(JSON.stringify(lines)).not.toContain("secret");
});
