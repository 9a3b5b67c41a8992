"""Manifests are made from folders by a pattern, and are read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from stainbridge.cohort.init import CohortInitJob, find_slides
from stainbridge.cohort.manifest import read_manifest
from stainbridge.errors import InputError

PATTERN = "{case}_{stain}.svs"


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in ("b1_HE", "b1_er", "b2_HE", "b2_er", "b2_ki67", "b3_er", "b4_HE"):
        (folder / f"{name}.svs").touch()
    (folder / "notes.txt").touch()
    return folder


def test_pairs_of_every_case_with_the_fixed_stain(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "slides.csv"
    outcome = CohortInitJob(folder=slides, pattern=PATTERN, out=out).run()
    assert (outcome.rows, outcome.skipped) == (3, ("b3", "b4"))
    cases = read_manifest(out)
    assert [case.id for case in cases] == ["b1", "b2_er", "b2_ki67"]
    assert {case.fixed.name for case in cases} == {"b1_HE.svs", "b2_HE.svs"}
    assert cases[2].moving.name == "b2_ki67.svs"


def test_blocks_say_which_slide_is_the_reference(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "blocks.csv"
    CohortInitJob(folder=slides, pattern=PATTERN, out=out, fixed="er", blocks=True).run()
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["block"], row["stain"], row["role"]) for row in rows] == [
        ("b1", "HE", ""),
        ("b1", "er", "reference"),
        ("b2", "HE", ""),
        ("b2", "er", "reference"),
        ("b2", "ki67", ""),
    ]


def test_patterns_reach_into_folders_and_skip_what_a_star_stands_for(tmp_path: Path) -> None:
    (tmp_path / "p1").mkdir()
    for name in ("scan7-he.ndpi", "scan8-er.ndpi"):
        (tmp_path / "p1" / name).touch()
    found = find_slides(tmp_path, "{case}/scan*-{stain}.ndpi")
    assert {case: sorted(stains) for case, stains in found.items()} == {"p1": ["er", "he"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pattern": "{case}.svs"}, "needs {stain} once"),
        ({"pattern": "{case}_{stain}.tif"}, "no file matches.*b1_HE"),
        ({"fixed": "cd3"}, "no case has cd3.*stains HE, er, ki67"),
        ({"pattern": "*{case}_{stain}.*"}, ""),
    ],
)
def test_what_gives_no_manifest_is_named(
    values: dict[str, str], message: str, slides: Path, tmp_path: Path
) -> None:
    job = {"pattern": PATTERN, **values}
    out = tmp_path / "slides.csv"
    if not message:
        CohortInitJob(folder=slides, out=out, **job).run()  # type: ignore[arg-type]
        return
    with pytest.raises(InputError, match=message):
        CohortInitJob(folder=slides, out=out, **job).run()  # type: ignore[arg-type]
    assert not out.exists()


def test_a_manifest_is_not_replaced_unasked(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "slides.csv"
    out.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        CohortInitJob(folder=slides, pattern=PATTERN, out=out).run()
    assert out.read_text() == "mine"
