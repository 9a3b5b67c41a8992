"""The viewer beside a notebook or a script."""

from __future__ import annotations

import webbrowser
from dataclasses import replace

import httpx
import pytest
from tests.viewer.conftest import Result

from stainbridge.errors import InputError
from stainbridge.jobs.view import view_registration


def test_a_registration_is_looked_at_until_it_is_closed(
    shared_result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    viewer = view_registration(shared_result.registration)
    try:
        assert opened == [viewer.link]
        assert f'href="{viewer.link}"' in viewer._repr_html_()
        with httpx.Client(follow_redirects=True) as client:
            assert client.get(viewer.link).status_code == 200
            origin = viewer.link.partition("/?")[0]
            case = client.get(f"{origin}/api/cases/case-1").json()
            assert [layer["id"] for layer in case["layers"]] == ["fixed", "moving"]
            tile = f"{origin}/api/cases/case-1/layers/moving/tiles/8/0/0"
            assert client.get(tile).status_code == 200
    finally:
        viewer.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(viewer.link)


def test_the_method_finds_the_viewer(shared_result: Result) -> None:
    viewer = shared_result.registration.view(browser=False)
    viewer.close()
    assert "registration.view()" in shared_result.registration._repr_html_()


def test_a_registration_without_slides_is_refused(shared_result: Result) -> None:
    with pytest.raises(InputError, match="not known where the fixed slide is"):
        view_registration(replace(shared_result.registration, fixed_source=None), browser=False)
