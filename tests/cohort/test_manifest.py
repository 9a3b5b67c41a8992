"""Manifests of cohorts are read strictly, before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stainbridge.cohort.manifest import read_manifest
from stainbridge.errors import InputError, MissingFileError


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for name in ("he.svs", "ki67.svs", "er.svs", "mask.png", "he.csv", "er.csv", "er.geojson"):
        (tmp_path / name).write_text(name)
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    path = folder / "slides.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_is_a_case_with_absolute_paths(slides: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(slides, "case,fixed,moving", "a,he.svs,ki67.svs", "b,he.svs,er.svs")
    monkeypatch.chdir(slides)
    a, b = read_manifest(Path("slides.csv"))
    assert (a.id, a.fixed, a.moving) == ("a", slides / "he.svs", slides / "ki67.svs")
    assert (b.id, b.fixed_mask, b.fixed_mpp, b.write_slide) == ("b", None, None, False)


def test_the_other_columns_are_optional(slides: Path) -> None:
    header = (
        "case,fixed,moving,fixed_mask,fixed_mpp,fixed_landmarks,moving_landmarks,"
        "moving_annotations,write_slide"
    )
    path = write(
        slides,
        header,
        "a,he.svs,er.svs,mask.png,0.25,he.csv,er.csv,er.geojson,yes",
        "b,he.svs,er.svs,,,,,,no",
    )
    a, b = read_manifest(path)
    assert a.fixed_mask == slides / "mask.png"
    assert (a.fixed_mpp, a.write_slide) == (0.25, True)
    assert a.list_files()["moving_annotations"] == slides / "er.geojson"
    assert (b.fixed_mpp, b.write_slide) == (None, False)
    assert set(b.list_files()) == {"fixed", "moving"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("case,fixed,moving,colour", "a,he.svs,er.svs,red"), "unknown columns.*'colour'"),
        (("case,fixed,moving,case", "a,he.svs,er.svs,b"), "twice; got case"),
        (("case,fixed", "a,he.svs"), "columns are missing; expected moving"),
        (("case,fixed,moving",), "no rows"),
        (("case,fixed,moving", "a,he.svs,"), "row 1: no moving"),
        (("case,fixed,moving", ",he.svs,er.svs"), "row 1: no case"),
        (("case,fixed,moving", "../a,he.svs,er.svs"), "cannot be part of file names"),
        (("case,fixed,moving", "a,he.svs,he.svs"), "both slides are one file"),
        (("case,fixed,moving", "a,he.svs,lost.svs"), "lost.svs: no such file"),
        (("case,fixed,moving", "a,he.svs,er.svs", "A,he.svs,ki67.svs"), "two cases have one id"),
        (("case,fixed,moving,fixed_mpp", "a,he.svs,er.svs,-1"), "row 1: fixed_mpp: no pixel size"),
        (("case,fixed,moving,write_slide", "a,he.svs,er.svs,maybe"), "neither yes nor no"),
        (("case,fixed,moving,fixed_landmarks", "a,he.svs,er.svs,he.csv"), "both slides"),
    ],
)
def test_what_cannot_be_used_is_named(slides: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_manifest(write(slides, *lines))


def test_a_slide_that_is_a_pipe_is_refused(slides: Path) -> None:
    os.mkfifo(slides / "pipe.svs")
    path = write(slides, "case,fixed,moving", "a,he.svs,pipe.svs")
    with pytest.raises(InputError, match="not a regular file"):
        read_manifest(path)


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"lost\.csv"):
        read_manifest(tmp_path / "lost.csv")
