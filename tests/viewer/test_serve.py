"""A real server on a real port."""

from __future__ import annotations

import socket
import time
import urllib.request
from threading import Event

import pytest
from fastapi import FastAPI, Request

from stainbridge.errors import InputError
from stainbridge.viewer.answers import compute_for
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.serve import BackgroundServer, listen


def test_a_named_port_that_is_taken_is_refused() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: the port is taken"):
            listen("127.0.0.1", port)


def test_without_a_port_a_second_viewer_takes_another() -> None:
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_small_packets_are_sent_at_once() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio asks for it before TCP_NODELAY


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputError, match="cannot listen there"):
        listen("203.0.113.7", 0)


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
