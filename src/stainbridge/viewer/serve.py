"""Listen on a port and serve an app until interrupted."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from threading import Thread

import uvicorn
from fastapi import FastAPI

from stainbridge.errors import InputError

#: The port that is tried first where none is named: one address from day to day.
USUAL_PORT = 8642
#: Seconds that open requests get to end.
GRACE_S = 2
LISTEN_BACKLOG = 128


def listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket; without a port, on the usual one or else on any that is free.

    Raises `InputError` where the port is taken or the address is not this machine's.
    """
    try:
        return _bind(host, USUAL_PORT if port is None else port)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _bind(host, 0)
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                "the port is taken, perhaps by another viewer",
                where=f"port {port}",
                remedy="name another with --port, or leave it out",
            ) from error
        raise InputError(f"cannot listen there: {error.strerror}", where=host) from error


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named: without
    # it a tile on an idle connection waits 40 ms for the browser's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


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
    """Serve until interrupted, which is how serving ends; return when all is closed."""
    with listener, suppress(KeyboardInterrupt):
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
