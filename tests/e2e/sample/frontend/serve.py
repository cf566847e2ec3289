"""Serves one page for every path: its routes are the browser's own business."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

with open("/srv/page/index.html", "rb") as page:
    PAGE = page.read()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)


# A container's first process is stopped by no signal that it doesn't handle.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ThreadingHTTPServer(("", 80), Handler).serve_forever()
