"""Serve an app on a port until interrupted."""

from __future__ import annotations

import socket
import time
from threading import Thread

import uvicorn
from fastapi import FastAPI

#: Seconds that open requests get to end.
GRACE_S = 2


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until interrupted; `KeyboardInterrupt` comes out when all is closed."""
    _server(app).run(sockets=[listener])


class BackgroundServer:
    """An app that is served by a thread, until `close`."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        self._server = _server(app)
        self._listener = listener
        self._thread = Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(0.005)

    def close(self) -> None:
        """Stop, and close what the app holds."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
