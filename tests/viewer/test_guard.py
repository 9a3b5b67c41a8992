from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
from tests.viewer.conftest import ACCESS, serve_session

from stainbridge.viewer.access import Access
from stainbridge.viewer.guard import MAX_BODY_BYTES
from stainbridge.viewer.session import Session


@pytest.fixture
def stranger(session: Session) -> Iterator[httpx.Client]:
    with serve_session(session, token=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/api/session", "/static/main.js", "/openapi.json", "/x"])
def test_without_the_token_nothing_is_told(stranger: httpx.Client, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "stainbridge=wrong"}):
        reply = stranger.get(path, headers=headers)
        assert reply.status_code == 401
        assert "token" in reply.json()["error"]
    assert stranger.get(path, params={"token": "ünknown"}).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "[::1", "evil@127.0.0.1"]
)
def test_another_host_is_refused_even_with_the_token(client: httpx.Client, host: str) -> None:
    reply = client.get("/api/session", headers={"Host": host})
    assert reply.status_code == 421
    assert reply.json()["error"].startswith("another host")


def test_the_link_gives_a_cookie_that_scripts_cannot_read(stranger: httpx.Client) -> None:
    reply = stranger.get("/", params={"token": ACCESS.token}, follow_redirects=False)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/"
    assert "HttpOnly" in reply.headers["set-cookie"]
    assert "SameSite=lax" in reply.headers["set-cookie"]
    assert stranger.get("/").text.startswith("<!doctype html>")
    assert stranger.get("/api/session").status_code == 200


def test_who_is_in_can_let_another_browser_in(client: httpx.Client, stranger: httpx.Client) -> None:
    assert stranger.get("/api/link").status_code == 401
    path = client.get("/api/link").json()["path"]
    assert stranger.get(path, follow_redirects=True).text.startswith("<!doctype html>")


def test_every_answer_has_the_safe_headers(client: httpx.Client, stranger: httpx.Client) -> None:
    for reply in (
        client.get("/"),
        client.get("/api/session"),
        stranger.get("/"),
        client.get("/no"),
    ):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"


def test_another_sites_page_may_not_change_anything(client: httpx.Client) -> None:
    own = str(client.base_url).rstrip("/")
    evil = {"Origin": "http://evil.example"}
    assert client.post("/api/session", headers=evil).status_code == 403
    assert client.post("/api/session", headers={"Origin": "null"}).status_code == 403
    assert client.post("/api/session", headers={"Origin": own}).status_code == 405


def test_bodies_that_are_too_large_or_endless_are_refused(client: httpx.Client) -> None:
    url = client.base_url
    words = f"Authorization: Bearer {ACCESS.token}\r\nContent-Length: {MAX_BODY_BYTES + 1}"
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"POST /api/session HTTP/1.1\r\nHost: {url.host}\r\n{words}\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")
    assert client.post("/api/session", content=iter([b"x"])).status_code == 411


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/api/cases/..%2f..%2fetc/layers/fixed/tiles/0/0/0",
        "/api/cases/case-1/layers/..%2ffixed/tiles/0/0/0",
    ],
)
def test_no_url_leads_to_a_file_outside_the_page(client: httpx.Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code in (404, 422)
    assert "root:" not in reply.text
    assert "import" not in reply.text


def test_addresses_are_known_only_where_others_are_let_in() -> None:
    assert not Access().knows_host("192.168.1.7:8642")
    assert Access(any_address=True).knows_host("192.168.1.7:8642")
    assert Access(any_address=True).knows_host("[fe80::1]:8642")
    assert not Access(any_address=True).knows_host("evil.example:8642")
    assert Access().knows_host("127.0.0.1:8642")
    assert Access().knows_host("[::1]:8642")


def test_two_runs_have_different_tokens_which_no_repr_shows() -> None:
    first, second = Access(), Access()
    assert first.token != second.token
    assert len(first.token) >= 32
    assert first.token not in repr(first)
