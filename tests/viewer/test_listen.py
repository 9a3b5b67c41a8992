"""The port of a viewer: taken, free, and where small packets do not wait."""

from __future__ import annotations

import socket

import pytest

from stainbridge.errors import InputError
from stainbridge.viewer.listen import listen


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
