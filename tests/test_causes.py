"""Errors of Python and of libraries become parts of a message in our own words."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.causes import describe_cause
from stainbridge.errors import InputError

#: What Python says, and no user should have to read.
NOTHING: Any = None
EMPTY: list[int] = []
FOREIGN = ("codec", "object", "NoneType", "Errno", "literal", "expected str", "Expecting", "Error")


def catch(action: Callable[[], object]) -> Exception:
    try:
        action()
    except Exception as error:  # whatever it is
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (b"\xff".decode, "bytes that are not text in UTF-8"),
        (Path("/missing/file").read_bytes, "No such file or directory"),
        (Path("/").read_bytes, "Is a directory"),
        (lambda: {}["mpp"], "no 'mpp'"),
        (lambda: NOTHING["a"], "values of a wrong type"),
        (lambda: NOTHING.a, "values of a wrong type"),
        (lambda: EMPTY[3], "too few values"),
        (lambda: float("abc"), "'abc'"),
        (lambda: int("1.5"), "'1.5'"),
        (lambda: json.loads('{"a": }'), "something else at line 1, column 7"),
        (lambda: yaml.safe_load("a: [1\nb: }"), "at line 2, column 2"),
        (lambda: OSError("no number"), "no number"),
    ],
)
def test_our_own_words(action: Callable[[], object], words: str) -> None:
    made = action() if words == "no number" else catch(action)
    assert isinstance(made, Exception)
    said = describe_cause(made)
    assert words in said
    assert not any(sign in said for sign in FOREIGN)
    assert words in str(InputError("damaged", where="a.csv", got=made))


@given(st.text())
def test_any_text_is_one_line_and_never_empty(text: str) -> None:
    said = describe_cause(ValueError(text))
    assert said
    assert len(said.splitlines()) == 1


@given(st.sampled_from(sorted(errno.errorcode)))
def test_errors_of_the_system_have_no_number(number: int) -> None:
    said = describe_cause(OSError(number, "Text", "a.csv"))
    assert "Errno" not in said
    assert "a.csv" not in said
