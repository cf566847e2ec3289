"""The process: `python3 -m app`."""

import asyncio
import signal
import sys
from types import FrameType
from typing import Any, Optional

import uvicorn

from app import logs, settings
from app.main import create_app

# Longer than the proxy in front keeps an idle connection (60 s), so that it is
# never this side that closes one while a request is on its way.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Goes on answering for a while after SIGTERM.

    A proxy still holds kept-alive connections to a pod that has left the
    service. Closing them at once loses the request that is on its way, so each
    answer first says "Connection: close".
    """

    def __init__(self, config: uvicorn.Config, app: Any, drain_seconds: float):
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds

    async def serve(self, *args: Any, **kwargs: Any) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(*args, **kwargs)

    def handle_exit(self, sig: int, frame: Optional[FrameType]) -> None:
        if sig != signal.SIGTERM or self._app.state.draining:
            super().handle_exit(sig, frame)
            return
        self._app.state.draining = True
        stop = super().handle_exit
        # Called inside a signal handler, where the loop must not be touched.
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, stop, sig, frame)


def main() -> None:
    """Serves until SIGTERM; a wrong environment ends it with status 2."""
    try:
        chosen = settings.load()
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

    app = create_app(chosen)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",
        port=chosen.port,
        log_config=logs.config(chosen.log_level),
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(chosen.request_timeout),
    )
    Server(config, app, chosen.drain_seconds).run()


if __name__ == "__main__":
    main()
