"""GeoJSON alone in a zip is read; what is not clear or damaged is refused in one line."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry import packed_json
from stainbridge.geometry.geojson import read_geojson

POINT = {"type": "Point", "coordinates": [1, 2]}
TEXT = json.dumps(POINT)


def make_zip(*names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return buffer.getvalue()


def zip_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", data)
    return buffer.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "names",
    [("a.geojson",), ("x/y.JSON", "readme.txt"), ("a.geojson", "__MACOSX/._a.geojson", "d/")],
)
@pytest.mark.parametrize("ending", ["zip", "geojson.zip", "geojson"])
def test_one_file_in_a_zip_is_read(
    tmp_path: Path, names: tuple[str, ...], method: int, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(make_zip(*names, method=method))
    assert read_geojson(path) == POINT


@pytest.mark.parametrize(
    ("names", "got"), [((), "none"), (("a.txt",), "none"), (("a.json", "b.geojson"), "a.json, b")]
)
def test_none_or_several_are_refused(tmp_path: Path, names: tuple[str, ...], got: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip(*(names or ("d/",))))
    with pytest.raises(InputError, match=f"one GeoJSON file; expected one; got {got}"):
        read_geojson(path)


@settings(max_examples=80, deadline=None)
@given(
    whole=st.sampled_from([make_zip("a.json"), gzip.compress(TEXT.encode(), mtime=0)]),
    place=st.floats(0, 0.999),
    value=st.binary(max_size=6),
)
def test_damaged_archives_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, place: float, value: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    at = int(place * len(whole))
    path.write_bytes(whole[:at] + (value + whole[at + len(value) :] if value else b""))
    try:
        content = read_geojson(path)
    except InputError:
        return
    assert content == POINT


@pytest.mark.parametrize("pack", [gzip.compress, zip_of])
def test_what_becomes_enormous_is_refused(
    tmp_path: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_json, "LARGEST_BYTES", 10_000)
    (tmp_path / "a.zip").write_bytes(pack(b" " * 20_000))
    with pytest.raises(InputError, match="the annotations are too large"):
        read_geojson(tmp_path / "a.zip")
