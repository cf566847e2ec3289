"""What every request gets: an id, two headers, one line in the log."""

import logging
import re
import socket
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from app import logs

log = logging.getLogger("app.access")

# Probes come every few seconds and would drown the rest.
UNLOGGED = frozenset({"/healthz", "/readyz"})

# An id from outside ends up in logs and headers, so it stays short and plain.
# The proxy in front keeps the same ones: a request has one id in both logs.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")

_HOSTNAME = socket.gethostname()


class RequestContext:
    """ASGI middleware; outermost, so that it sees unexpected errors too."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _SANE_ID.fullmatch(asked) else uuid.uuid4().hex
        logs.request_id.set(request_id)
        start = time.perf_counter()
        status = 0

        async def send_with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Served-By"] = _HOSTNAME
                if scope["app"].state.draining:
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            log.exception("unexpected error")
            if status:  # too late for another answer
                raise
            answer = JSONResponse({"detail": "Internal error."}, status_code=500)
            await answer(scope, receive, send_with_headers)
        finally:
            if scope["path"] not in UNLOGGED:
                log.info("request", extra={"fields": self._line(scope, status, start)})

    @staticmethod
    def _line(scope: Any, status: int, start: float) -> dict[str, Any]:
        return {
            "method": scope["method"],
            "path": scope["path"],  # without the query, which may hold secrets
            "status": status,
            "duration_ms": round((time.perf_counter() - start) * 1000, 1),
            "client": scope["client"][0] if scope.get("client") else "",
        }
