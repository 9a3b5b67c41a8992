from __future__ import annotations

import json

import pytest

from stainbridge.cli.output import print_json


def test_numbers_that_json_has_no_word_for_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (1, "µm")}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [1.5, None],
        "c": {"d": [1, "µm"]},
    }
