"""One image for page and API. It migrates at its start, slowly, and listens only afterwards."""

import base64
import hashlib
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2


def migrate():
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        # Every pod migrates at its start: one after the other.
        cursor.execute("select pg_advisory_xact_lock(1)")
        cursor.execute("select to_regclass('tasks')")
        if cursor.fetchone()[0]:
            return
        time.sleep(5)
        cursor.execute("create table tasks (id bigint generated always as identity primary key, taken int not null default 0, done int not null default 0)")
        cursor.execute("create table signals (name text primary key)")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/api/socket":
            self.echo_one_message()
        elif self.path == "/api/events":
            self.stream_events()
        elif self.path in ("/ready", "/api/release"):
            self.answer(200, "application/json", json.dumps({"release": os.environ["RELEASE"]}))
        elif self.path.startswith("/api/"):
            self.answer(404, "application/json", "{}")
        else:
            self.answer(200, "text/html", '<!doctype html><main id="whole"></main>')

    def do_POST(self):
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left:
            part = self.rfile.read(min(left, 1 << 20))
            digest.update(part)
            left -= len(part)
        self.answer(200, "text/plain", digest.hexdigest())

    def answer(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def stream_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(f"data: {number}\n\n".encode())
            time.sleep(1)
        self.close_connection = True

    def echo_one_message(self):
        """RFC 6455: the handshake, then one short frame, which comes masked and goes back plain."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        length = self.rfile.read(2)[1] & 0x7F
        mask = self.rfile.read(4)
        message = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(length)))
        self.wfile.write(bytes([0x81, length]) + message)
        self.close_connection = True


# A container's first process is stopped by no signal that it doesn't handle.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
migrate()
ThreadingHTTPServer(("", 5000), Handler).serve_forever()
