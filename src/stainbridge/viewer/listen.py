"""Take the port that a viewer listens on: at once, before the libraries that serve are loaded."""

from __future__ import annotations

import errno
import socket

from stainbridge.errors import InputError

#: The port that is tried first where none is named: one address from day to day.
USUAL_PORT = 8642
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
