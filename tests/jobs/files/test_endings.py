"""A name that says another content than is written is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stainbridge.errors import InputError
from stainbridge.jobs.files.endings import (
    FILE_ENDINGS,
    check_folder_name,
    check_geojson_ending,
    check_picture_ending,
)


@pytest.mark.parametrize(
    "ending", [".jpg", ".jp2", ".svs", ".ndpi", ".dcm", ".zip", ".txt", ".csv", ".h5", ".v2"]
)
def test_endings_of_other_formats_are_refused(ending: str) -> None:
    for name in (f"a{ending}", f"a{ending.upper()}"):
        with pytest.raises(InputError, match=r"is not written; expected \.ome\.tiff"):
            check_picture_ending(Path(name))
    for name in ("a.ome.tiff", "a.tif", "a.png", "a", "a.zarr", "a.ome.ZARR", "a.btf"):
        check_picture_ending(Path(name))


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("a.zarr", "tiff"),
        ("a.zarr", "ome-tiff"),
        ("a.png", "tiff"),
        ("a.PNG", "ome-tiff"),
        ("a.ome.tiff", "tiff"),
        ("a.OME.tif", "tiff"),
        ("a.tiff", "ome-zarr"),
        ("a.png", "ome-zarr"),
        ("a", "ome-zarr"),
    ],
)
def test_a_name_of_another_format_than_asked_for_is_refused(name: str, file_format: Any) -> None:
    with pytest.raises(InputError, match=r"one of another format.*got --format"):
        check_picture_ending(Path(name), file_format)


@pytest.mark.parametrize(
    ("name", "file_format"),
    [("a.zarr", "ome-zarr"), ("a.tiff", "tiff"), ("a", "tiff"), ("a.ome.btf", "ome-tiff")],
)
def test_a_name_of_the_format_that_is_asked_for_is_taken(name: str, file_format: Any) -> None:
    check_picture_ending(Path(name), file_format)


def test_a_packed_name_says_what_is_packed() -> None:
    for name in ("a", "a.geojson", "a.JSON", "a.geojson.gz", "a.gz", "a.json.GZ"):
        check_geojson_ending(Path(name))
    for name in ("a.csv", "a.csv.gz", "a.tar.gz", "a.gz.gz"):
        with pytest.raises(InputError, match=r"is not written; expected \.geojson"):
            check_geojson_ending(Path(name))


def test_a_new_folder_is_not_named_like_a_file(tmp_path: Path) -> None:
    for ending in FILE_ENDINGS:
        for name in (f"a{ending}", f"a.b{ending.upper()}"):
            with pytest.raises(InputError, match="the name of a file"):
                check_folder_name(tmp_path / name)
    for name in ("a", "a.v2", "slide.svs", ".hidden"):
        check_folder_name(tmp_path / name)
    (tmp_path / "there.png").mkdir()
    check_folder_name(tmp_path / "there.png")
