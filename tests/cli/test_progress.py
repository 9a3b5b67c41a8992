from __future__ import annotations

import sys

import pytest

from stainbridge.cli import progress as module
from stainbridge.cli.progress import show_progress


def test_what_is_quick_prints_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as progress:
        progress("affine", 0.5)
    assert capsys.readouterr() == ("", "")


def test_off_a_terminal_slow_work_prints_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_LINE_S", 0.01)
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.01)
    seen: list[str] = []
    with show_progress() as progress:
        progress("affine", 0.5)
        while len(seen) < 2:
            seen += capsys.readouterr().err.splitlines()
    assert seen[-1] == "50% affine"


def test_progress_is_drawn_on_a_terminal_s_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with show_progress() as progress:
        progress("affine", 0.5)
    output = capsys.readouterr()
    assert output.out == ""
    assert "affine" in output.err
