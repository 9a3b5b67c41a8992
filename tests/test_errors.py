"""Errors: one tree, one line each, an exit code for the shell."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stainbridge.errors
from stainbridge.errors import (
    InputError,
    MissingExtraError,
    MissingFileError,
    RegistrationError,
    StainbridgeError,
    errors_within,
)
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.frame import Space
from stainbridge.geometry.geojson import read_geojson
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.registration.store import load
from stainbridge.settings import read_yaml
from stainbridge.slides.open import open_slide
from stainbridge.whole import whole_file

ERRORS = "stainbridge.errors"


@pytest.mark.parametrize(
    ("kind", "parent", "code"),
    [
        (StainbridgeError, Exception, 1),
        (InputError, StainbridgeError, 2),
        (MissingFileError, InputError, 2),
        (MissingExtraError, InputError, 2),
        (RegistrationError, StainbridgeError, 3),
    ],
)
def test_the_tree_and_its_exit_codes(
    kind: type[StainbridgeError], parent: type[Exception], code: int
) -> None:
    assert kind.__bases__[0] is parent
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


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InputError, ValueError),
        (MissingFileError, FileNotFoundError),
        (MissingExtraError, ImportError),
    ],
)
def test_the_built_in_error_catches_it(kind: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_every_error_is_in_the_drawn_tree() -> None:
    members = vars(stainbridge.errors).values()
    kinds = [kind for kind in members if isinstance(kind, type) and kind.__module__ == ERRORS]
    assert all(kind.__name__ in str(stainbridge.errors.__doc__) for kind in kinds)
    assert all(issubclass(kind, StainbridgeError) for kind in kinds)


def test_a_missing_file_has_our_message_and_the_fields_of_an_os_error() -> None:
    error = MissingFileError("no such file", where=Path("a.svs"), remedy="look again")
    assert str(error) == "a.svs: no such file; look again"
    assert (error.errno, error.filename) == (errno.ENOENT, "a.svs")
    assert error.strerror == "no such file"


def test_a_missing_extra_says_which_module_could_not_be_imported() -> None:
    assert MissingExtraError("reading Zarr", "zarr", "zarr").name == "zarr"


@pytest.mark.parametrize(
    "error",
    [
        InputError("too small", where="a.svs", expected=3, got=0),
        MissingFileError("no such file", where=Path("a.svs")),
        MissingExtraError("reading Zarr", "zarr", "zarr"),
        RegistrationError("it failed"),
    ],
)
def test_an_error_comes_whole_out_of_another_process(error: StainbridgeError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_a_path_that_does_not_exist_is_a_file_not_found(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    space = Space("slide", 10, 10)
    for read in (
        open_slide,
        load,
        read_points_csv,
        read_geojson,
        read_yaml,
        lambda path: read_transform(path.with_suffix(".h5"), space, space),
        lambda path: whole_file(path / "file.txt").__enter__(),
    ):
        with pytest.raises(FileNotFoundError, match="absent") as caught:
            read(absent)
        assert isinstance(caught.value, InputError)


def test_a_missing_file_met_while_writing_another_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such slide"), whole_file(tmp_path / "a.txt"):
        raise MissingFileError("no such slide", where="b.svs")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (None, "a/b.tif: damaged"),
        ("b.tif", "a/b.tif: damaged"),
        ("feature 3", "a/b.tif: feature 3: damaged"),
        ("a/b.tif line 3", "a/b.tif line 3: damaged"),
    ],
)
def test_an_error_within_a_file_names_it_once(where: str | None, said: str) -> None:
    with pytest.raises(InputError) as caught, errors_within("a/b.tif"):
        raise InputError("damaged", where=where)
    assert str(caught.value) == said
    with pytest.raises(MissingFileError), errors_within("a"):
        raise MissingFileError(where="b.tif")
