import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { App } from "./App";
import type { Item } from "./api";

/** A backend in memory, behind fetch; `away` decides how it fails. */
class Backend {
  items: Item[] = [];
  requests: string[] = [];
  away?: () => Response;

  fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.requests.push(`${init.method} ${path}`);
    if (this.away) return this.away();
    if (init.method === "POST") {
      const item = this.add(JSON.parse(init.body as string).title);
      return Response.json(item, { status: 201 });
    }
    if (init.method === "DELETE") {
      const left = this.items.filter((item) => path !== `/api/items/${item.id}`);
      const status = left.length < this.items.length ? 204 : 404;
      this.items = left;
      return new Response(null, { status });
    }
    return Response.json(this.items);
  };

  add(title: string): Item {
    const id = Math.max(0, ...this.items.map((item) => item.id)) + 1;
    const item = { id, title, created_at: "2026-01-02T03:04:05+00:00" };
    this.items = [item, ...this.items];
    return item;
  }
}

const databaseAway = () =>
  Response.json({ detail: "The database is not available." }, { status: 503, headers: { "X-Request-ID": "id-1" } });

let backend: Backend;

beforeEach(() => {
  backend = new Backend();
  vi.stubGlobal("fetch", backend.fetch);
});

const titles = () => screen.queryAllByRole("listitem").map((row) => row.querySelector(".title")?.textContent);
const input = () => screen.getByLabelText("New item");
const button = (name: string) => screen.getByRole("button", { name });

test("items are listed in the backend's order, by a relative path", async () => {
  backend.add("older");
  backend.add("newer");
  render(<App />);
  expect(screen.getByText("Loading…")).toBeVisible();
  await screen.findByText("newer");
  expect(titles()).toEqual(["newer", "older"]);
  expect(new Set(backend.requests)).toEqual(new Set(["GET /api/items"]));
  expect(screen.queryByText("Loading…")).toBeNull();
});

test("an empty list says so", async () => {
  render(<App />);
  expect(await screen.findByText(/Nothing here yet/)).toBeVisible();
});

test("an added item appears first, and the field is ready for the next", async () => {
  backend.add("first");
  render(<App />);
  await screen.findByText("first");
  await userEvent.type(input(), "  second {Enter}");
  await screen.findByText("second");
  expect(titles()).toEqual(["second", "first"]);
  expect(backend.items.map((item) => item.title)).toEqual(["second", "first"]);
  expect(input()).toHaveValue("");
  expect(input()).toHaveFocus();
});

test("a blank title can't be sent, and a long one can't be typed", async () => {
  render(<App />);
  await screen.findByText(/Nothing here yet/);
  expect(button("Add")).toBeDisabled();
  await userEvent.type(input(), "   {Enter}");
  expect(button("Add")).toBeDisabled();
  expect(backend.requests.filter((request) => request.startsWith("POST"))).toEqual([]);
  expect(input()).toHaveAttribute("maxlength", "200");
});

test("a deleted item disappears, here and there", async () => {
  backend.add("kept");
  backend.add("gone");
  render(<App />);
  await screen.findByText("gone");
  await userEvent.click(button("Delete gone"));
  await waitFor(() => expect(titles()).toEqual(["kept"]));
  expect(backend.items.map((item) => item.title)).toEqual(["kept"]);
});

test("deleting what someone else deleted is no error", async () => {
  backend.add("gone already");
  render(<App />);
  await screen.findByText("gone already");
  backend.items = [];
  await userEvent.click(button("Delete gone already"));
  expect(await screen.findByText(/Nothing here yet/)).toBeVisible();
  expect(screen.getByRole("alert")).toBeEmptyDOMElement();
});

test("a backend that is away is an announced error with its reference, and a retry recovers", async () => {
  backend.add("survivor");
  backend.away = databaseAway;
  render(<App />);
  const alert = screen.getByRole("alert");
  expect(await within(alert).findByText(/The database is not available/)).toBeVisible();
  expect(alert).toHaveTextContent("Reference: id-1");
  expect(screen.queryByText(/Nothing here yet/)).toBeNull();

  backend.away = undefined;
  await userEvent.click(button("Try again"));
  expect(await screen.findByText("survivor")).toBeVisible();
  expect(alert).toBeEmptyDOMElement();
});

test.each([
  ["no answer at all", () => Promise.reject(new TypeError("failed to fetch")), "can't be reached"],
  ["a proxy's HTML page", () => new Response("<html>", { status: 502 }), "not available at the moment"],
  ["a refused title", () => Response.json({ detail: [{ msg: "too long" }] }, { status: 422 }), "isn't accepted"],
  ["a page instead of data", () => new Response("<html>", { status: 200 }), "can't be read"],
  ["anything else", () => new Response("", { status: 403 }), "refused (403)"],
])("%s is explained", async (_, answer, text) => {
  backend.away = answer as () => Response;
  render(<App />);
  await waitFor(() => expect(screen.getByRole("alert")).toHaveTextContent(text));
});

test("a failed addition keeps what was typed and what is listed", async () => {
  backend.add("there");
  render(<App />);
  await screen.findByText("there");
  backend.away = databaseAway;
  await userEvent.type(input(), "precious{Enter}");
  await screen.findByText(/The database is not available/);
  expect(input()).toHaveValue("precious");
  expect(titles()).toEqual(["there"]);

  backend.away = undefined;
  await userEvent.click(button("Add"));
  await screen.findByText("precious");
  expect(screen.getByRole("alert")).toBeEmptyDOMElement();
});

test("a failed deletion keeps the item, and it can be tried again", async () => {
  backend.add("stubborn");
  render(<App />);
  await screen.findByText("stubborn");
  backend.away = databaseAway;
  await userEvent.click(button("Delete stubborn"));
  await screen.findByText(/The database is not available/);
  expect(titles()).toEqual(["stubborn"]);
  expect(button("Delete stubborn")).toBeEnabled();
});

test("a title is text, never markup", async () => {
  backend.add("<img src=x onerror=alert(1)>");
  const { container } = render(<App />);
  await screen.findByText("<img src=x onerror=alert(1)>");
  expect(container.querySelector("img")).toBeNull();
});
