"""A real server on a real port."""

from __future__ import annotations

import socket
import time
import urllib.request
from threading import Event

from fastapi import FastAPI, Request

from stainbridge.viewer.answers import compute_for
from stainbridge.viewer.listen import listen
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.serve import BackgroundServer


def test_work_of_a_client_that_left_is_not_begun() -> None:
    pool = NewestFirstPool(1)
    app = FastAPI()
    begun, free = Event(), Event()
    done: list[str] = []

    @app.get("/{name}")
    async def answer(request: Request, name: str) -> str:
        def work() -> str:
            done.append(name)
            if name == "first":
                begun.set()
                free.wait()
            return name

        return await compute_for(request, pool, work)

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = BackgroundServer(app, listener)
    first = send(port, "first")
    begun.wait()
    stale = send(port, "stale")
    time.sleep(0.2)  # both requests are in
    stale.close()
    time.sleep(0.2)  # and the second client is gone
    free.set()
    assert read_body(first) == b'"first"'
    url = f"http://127.0.0.1:{port}/last"
    with urllib.request.urlopen(url, timeout=10) as reply:
        assert reply.read() == b'"last"'
    first.close()
    server.close()
    pool.close()
    assert done == ["first", "last"]


def send(port: int, name: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(f"GET /{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return client


def read_body(client: socket.socket) -> bytes:
    """Return the seven bytes after the headers."""
    text = b""
    while not text.partition(b"\r\n\r\n")[2]:
        text += client.recv(4096)
    return text.partition(b"\r\n\r\n")[2]
