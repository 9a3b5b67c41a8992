"""Pictures of subjects are split and paired by subject."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.subjects import (
    find_subjects,
    pair_subjects,
    read_groups,
    split_subjects,
    write_subject_pairs,
)
from stainbridge.errors import InputError

ROOT = Path(__file__).parents[2]


def write_pictures(folder: Path, count: int = 4) -> Path:
    """Write pictures, and labels of all but the last."""
    for kind, number in (("images", count), ("labels", count - 1)):
        (folder / kind).mkdir(parents=True)
        for name in range(number):
            pixels = np.full((12, 16), name + 1, np.uint8)
            PIL.Image.fromarray(pixels).save(folder / kind / f"s{name}.png")
    return folder


def test_a_split_keeps_groups_together_and_its_shares() -> None:
    groups = {f"p{number:03}": f"case {number // 3}" for number in range(90)}
    parts = split_subjects(groups, seed=1)
    assert list(parts) == list(groups)
    counts = Counter(parts.values())
    assert counts["train"] == pytest.approx(63, abs=3)
    assert counts["validation"] == pytest.approx(9, abs=3)
    assert counts["test"] == pytest.approx(18, abs=3)
    for group in set(groups.values()):
        assert len({parts[name] for name in groups if groups[name] == group}) == 1
    assert parts == split_subjects(groups, seed=1)
    assert parts != split_subjects(groups, seed=2)


def test_every_picture_is_fixed_to_those_that_follow() -> None:
    assert pair_subjects(["a", "b", "c"]) == [("a", "b"), ("b", "c"), ("c", "a")]
    every = pair_subjects(["a", "b", "c", "d"], each=3)
    assert len(set(every)) == 12
    assert all(fixed != moving for fixed, moving in every)
    shuffled = pair_subjects([f"{n}" for n in range(20)], seed=3)
    assert {fixed for fixed, _ in shuffled} == {moving for _, moving in shuffled}
    assert shuffled == pair_subjects([f"{n}" for n in range(20)], seed=3)
    with pytest.raises(InputError, match="1 to 1 of 2"):
        pair_subjects(["a", "b"], each=2)


def test_written_pairs_are_a_data_set(tmp_path: Path) -> None:
    pictures = find_subjects(write_pictures(tmp_path / "set"))
    table = tmp_path / "tables" / "pairs.csv"
    table.parent.mkdir()
    write_subject_pairs(table, pictures, pair_subjects(pictures.names))
    cases = read_data_set(table).cases
    assert [case.id for case in cases] == ["s0-s1", "s1-s2", "s2-s3", "s3-s0"]
    assert cases[0].open_moving_labels is not None
    with cases[0].open_moving_labels() as labels:
        assert labels.read(labels.frame).pixels.max() == 2
    assert (cases[2].open_moving_labels, cases[3].open_fixed_labels) == (None, None)


def test_no_pictures_and_unlisted_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images: no pictures to pair"):
        find_subjects(tmp_path)
    (tmp_path / "sources.csv").write_text("file,url\na.png,one\n")
    names = ["a.png", "b.png"]
    with pytest.raises(InputError, match=r"sources.csv: pictures are not in the table.*b.png"):
        read_groups(tmp_path / "sources.csv", names, "file", "url")


@pytest.mark.parametrize("name", ["brain_mr", "chest_xray"])
def test_shipped_splits_are_70_10_20(name: str) -> None:
    with (ROOT / "configs" / "splits" / f"{name}.csv").open(newline="") as file:
        parts = [row["part"] for row in csv.DictReader(file)]
    counts = Counter(parts)
    assert counts["train"] / len(parts) == pytest.approx(0.7, abs=0.03)
    assert counts["validation"] / len(parts) == pytest.approx(0.1, abs=0.03)


def test_the_split_of_x_rays_keeps_sources_together(real_data: Path) -> None:
    with (ROOT / "configs" / "splits" / "chest_xray.csv").open(newline="") as file:
        parts = {f"{row['name']}.png": row["part"] for row in csv.DictReader(file)}
    names = find_subjects(real_data / "chest_xray").names
    assert set(parts) == set(names)
    groups = read_groups(real_data / "chest_xray" / "sources.csv", names, "file", "url")
    for source in set(groups.values()):
        assert len({parts[name] for name in names if groups[name] == source}) == 1
