"""Takes orders, signs them, and keeps the last one in a file."""

import hashlib
import hmac
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

SPOOL = "/var/lib/shop/last"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/status":
            # The driver reads PGHOST and its like from the environment.
            with psycopg2.connect("") as connection, connection.cursor() as cursor:
                cursor.execute("select 1")
            self.answer(200, {"status": "ok"})
        elif self.path == "/orders":
            with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
                cursor.execute("select note from orders order by id")
                self.answer(200, [note for (note,) in cursor.fetchall()])
        else:
            self.answer(404, {"path": self.path})

    def do_POST(self):
        note = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("insert into orders (note) values (%s) returning id", (note,))
            number = cursor.fetchone()[0]
        with open(SPOOL, "w") as spool:
            spool.write(note)
        signature = hmac.new(os.environ["SIGNING_KEY"].encode(), note.encode(), hashlib.sha256).hexdigest()
        self.answer(201, {"signature": signature, "currency": os.environ["SHOP_CURRENCY"]}, f"/orders/{number}")

    def answer(self, status, value, location=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)


# A container's first process is stopped by no signal that it doesn't handle.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ThreadingHTTPServer(("", 3000), Handler).serve_forever()
