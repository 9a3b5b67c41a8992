from __future__ import annotations

import json
import sys

import pytest

from stainbridge.cli.output import print_json, progress_bar


def test_numbers_that_json_has_no_word_for_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (1, "µm")}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [1.5, None],
        "c": {"d": [1, "µm"]},
    }


def test_no_progress_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as progress:
        progress("affine", 0.5)
    assert capsys.readouterr() == ("", "")


def test_progress_is_drawn_on_a_terminal_s_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar() as progress:
        progress("affine", 0.5)
    output = capsys.readouterr()
    assert output.out == ""
    assert "affine" in output.err
