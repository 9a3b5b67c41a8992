"""Manifests of blocks are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.cohort.blocks.manifest import is_block_manifest, read_blocks
from stainbridge.errors import InputError


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for name in ("he.svs", "er.svs", "ki67.svs", "he.csv", "er.csv"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    path = folder / "blocks.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_reference_comes_first_and_every_two_slides_are_a_case(slides: Path) -> None:
    path = write(
        slides,
        "block,slide,stain,role,landmarks,mpp",
        "b1,er.svs,er,,er.csv,",
        "b1,ki67.svs,ki67,,,0.5",
        "b1,he.svs,he,reference,he.csv,",
    )
    assert is_block_manifest(path)
    (block,) = read_blocks(path)
    assert [slide.name for slide in block.slides] == ["he", "er", "ki67"]
    cases = block.list_cases()
    assert [case.id for case in cases] == ["b1.er-on-he", "b1.ki67-on-he", "b1.ki67-on-er"]
    assert cases[0].fixed_landmarks == slides / "he.csv"
    assert cases[1].fixed_landmarks is None  # the other slide has none
    assert cases[1].moving_mpp == 0.5


def test_annotations_and_slides_to_write_are_of_single_slides(slides: Path) -> None:
    (slides / "er.geojson").touch()
    path = write(
        slides,
        "block,slide,stain,annotations,write_slide",
        "b1,he.svs,he,,",
        "b1,er.svs,er,er.geojson,yes",
    )
    he, er = read_blocks(path)[0].slides
    assert (he.annotations, he.write_slide) == (None, False)
    assert (er.annotations, er.write_slide) == (slides / "er.geojson", True)
    assert er.list_files()["annotations"] == slides / "er.geojson"


def test_without_a_role_the_first_slide_is_the_reference(slides: Path) -> None:
    path = write(slides, "block,slide,stain", "b1,er.svs,er", "b1,he.svs,he")
    assert read_blocks(path)[0].reference.name == "er"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("b1,he.svs,he,",), "block of one slide; got b1"),
        (("b1,he.svs,he,", "b1,er.svs,HE,"), "one stain; got HE"),
        (("b1,he.svs,he,reference", "b1,er.svs,er,reference"), "two references"),
        (("b1,he.svs,he,fixed", "b1,er.svs,er,"), "no such role"),
        (("b1,he.svs,,", "b1,er.svs,er,"), "no stain"),
        (("b1,he.svs,he,", "b1,lost.svs,er,"), r"lost\.svs: no such file"),
        (("b 1,he.svs,he,", "b 1,er.svs,er,"), "cannot be part of file names"),
    ],
)
def test_what_cannot_be_used_is_named(slides: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_blocks(write(slides, "block,slide,stain,role", *lines))
