"""Bad clients: keeps a number of connections in a bad state for a while, and says what became of them.

    clients.py KIND HOST PORT COUNT SECONDS
"""

import collections
import selectors
import socket
import sys
import time

kind, host, port, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])


def head(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: shop.example", "Content-Type: application/json", *headers, "", ""]).encode()


LARGEST = b""
if kind == "readers":  # of the page's script, which is the largest answer
    with socket.create_connection((host, port), 10) as s:
        s.sendall(head("GET", "/", "Connection: close"))
        page = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    LARGEST = head("GET", page.split('src="')[1].split('"')[0])

SENDS = {
    "readers": LARGEST,  # and reads nothing
    "posts": head("POST", "/api/items", "Content-Length: 60000") + b"x" * 50_000,  # and no more
    "uploads": head("POST", "/api/items", "Content-Length: 9000000") + b"x" * 8_900_000,
}
message = SENDS[kind]
selector = selectors.DefaultSelector()
statuses = collections.Counter()
opened = 0


class Client:
    def __init__(self):
        global opened
        opened += 1
        self.left = memoryview(message)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.socket.connect_ex((host, port))
        selector.register(self.socket, selectors.EVENT_WRITE, self)

    def ready(self, events):
        try:
            if self.left:
                self.left = self.left[self.socket.send(self.left[:65536]) :]
            # One that is sending has an ear for a refusal; one that has sent all stays silent. A reader never reads.
            if kind != "readers":
                selector.modify(self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.left else 0), self)
                if events & selectors.EVENT_READ:
                    said = self.socket.recv(4096)
                    statuses[said[9:12].decode() or "closed"] += 1
                    self.close()
            elif not self.left:
                selector.unregister(self.socket)
        except OSError as problem:
            statuses[type(problem).__name__] += 1
            self.close()

    def close(self):
        selector.unregister(self.socket)
        self.socket.close()
        closed.append(self)


closed = []
clients = []
end = time.monotonic() + seconds
while time.monotonic() < end:
    # Whoever was refused comes again, a hundred at a time.
    room = min(100, count - len(clients))
    clients += [Client() for _ in range(room)]
    for key, events in selector.select(0.1):
        key.data.ready(events)
    if closed:
        gone = set(map(id, closed))
        clients = [c for c in clients if id(c) not in gone]
        closed.clear()
        time.sleep(0.05)
print(f"{opened} connections, {len(clients)} at the end, answers {dict(statuses)}")
