"""Errors: one tree, one line each, an exit code for the shell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError, MissingExtraError, RegistrationError, StainbridgeError


@pytest.mark.parametrize(
    ("kind", "parent", "code"),
    [
        (StainbridgeError, Exception, 1),
        (InputError, StainbridgeError, 2),
        (MissingExtraError, InputError, 2),
        (RegistrationError, StainbridgeError, 3),
    ],
)
def test_the_tree_and_its_exit_codes(
    kind: type[StainbridgeError], parent: type[Exception], code: int
) -> None:
    assert kind.__base__ is parent
    assert kind.exit_code == code


def test_a_message_says_where_what_expected_got_and_remedy_in_that_order() -> None:
    error = InputError("too small", where="a.svs", expected=3, got=0, remedy="make it larger")
    assert str(error) == "a.svs: too small; expected 3; got 0; make it larger"
    assert (error.what, error.where, error.expected, error.got, error.remedy) == (
        "too small", "a.svs", 3, 0, "make it larger",
    )  # fmt: skip


def test_what_is_not_known_is_left_out() -> None:
    assert str(InputError("too small")) == "too small"
    assert str(InputError("too small", got=0)) == "too small; got 0"  # zero is known


@given(st.text(), st.text(), st.text())
def test_a_message_is_one_line(what: str, got: str, remedy: str) -> None:
    assert "\n" not in str(InputError(what, where="x", got=got, remedy=remedy))


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    error = MissingExtraError("reading Zarr", "zarr", "zarr")
    assert (
        str(error)
        == "reading Zarr needs the package 'zarr'; install it with: pip install 'stainbridge[zarr]'"
    )
