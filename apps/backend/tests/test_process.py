"""The process as the image runs it: another user, nothing writable."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from tests.conftest import ROOT
from tests.postgres import free_port
from tests.test_outages import BUSY, InBackground, locked_table, wait_for

DRAIN_SECONDS = 1


class Process:
    """`python3 -m app`, as uid 10001 where the tests may choose."""

    def __init__(self, env):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        as_user = {"user": 10001, "group": 10001, "extra_groups": []} if os.geteuid() == 0 else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
                 "PORT": str(self.port), "DRAIN_SECONDS": str(DRAIN_SECONDS), **env},
            **as_user)

    def answers(self):
        assert self._process.poll() is None, self._process.stdout.read()
        try:
            return httpx.get(self.url + "/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends it; returns the exit status and the log lines."""
        if self._process.poll() is None:
            self.terminate()
        output, _ = self._process.communicate(timeout=20)
        return self._process.returncode, [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def process(postgres):
    process = Process(postgres.env())
    try:
        wait_for(process.answers)
        yield process
    finally:
        process.stop()


def test_each_request_is_one_line_of_json_with_its_id(process):
    httpx.get(process.url + "/readyz").raise_for_status()
    httpx.get(process.url + "/api/items?limit=3", headers={"X-Request-ID": "find-me-1"}).raise_for_status()
    httpx.post(process.url + "/api/items", json={"title": ""}, headers={"X-Request-ID": "bad-title"})
    _, lines = process.stop()
    access = [line for line in lines if line["logger"] == "app.access"]
    assert [(line["request_id"], line["method"], line["path"], line["status"]) for line in access] == [
        ("find-me-1", "GET", "/api/items", 200),
        ("bad-title", "POST", "/api/items", 422),
    ]
    assert access[0]["duration_ms"] > 0
    assert all({"time", "level", "message"} <= set(line) for line in lines)


def test_client_address_and_scheme_come_from_the_trusted_proxy(postgres):
    process = Process(postgres.env(FORWARDED_ALLOW_IPS="*"))
    try:
        wait_for(process.answers)
        answer = httpx.get(process.url + "/api/items/", headers={
            "Host": "shop.example:8443", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    finally:
        _, lines = process.stop()
    assert answer.headers["Location"] == "https://shop.example:8443/api/items"
    assert [line["client"] for line in lines if line["logger"] == "app.access"] == ["203.0.113.7"]


def test_sigterm_lets_proxies_go_before_it_closes(process):
    with httpx.Client(base_url=process.url) as kept_alive:
        assert "Connection" not in kept_alive.get("/api/items").headers
        process.terminate()
        wait_for(lambda: httpx.get(process.url + "/healthz").headers.get("Connection") == "close")
        answer = kept_alive.post("/api/items", json={"title": "late, but not lost"})
    assert answer.status_code == 201
    assert answer.headers["Connection"] == "close"
    start = time.monotonic()
    _, lines = process.stop()
    assert time.monotonic() - start < DRAIN_SECONDS + 2
    assert lines[-1]["message"].startswith("Finished server process")


def test_sigterm_waits_for_a_request_that_runs(process, postgres):
    with locked_table(postgres):
        request = InBackground(httpx.post, process.url + "/api/items", json={"title": "in flight"}, timeout=20)
        wait_for(lambda: postgres.query(BUSY, "INSERT INTO items%"))
        process.terminate()
        wait_for(lambda: not listens(process.port))
    assert request.answer().status_code == 201
    assert postgres.query("SELECT title FROM items") == [("in flight",)]


def listens(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_wrong_environment_ends_it_with_the_reasons():
    answer = subprocess.run(
        [sys.executable, "-m", "app"], cwd=ROOT, env={"PORT": "x"}, capture_output=True, text=True, timeout=20)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 2
