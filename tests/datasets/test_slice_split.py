"""Splits by blocks of a stack: contiguous, apart from each other, and clear about bad files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.slice_split import (
    GAP,
    PART_SHARES,
    read_split,
    select_part,
    split_blocks,
    write_split,
)
from stainbridge.errors import InputError
from stainbridge.slides.case import Case

SPLITS = Path(__file__).parents[2] / "configs" / "splits"
NAMES = tuple(f"slice_{number:03d}" for number in range(60))


def make_cases(names: tuple[str, ...] = NAMES) -> list[Case]:
    return [Case.from_files(name, Path("fixed.png"), Path("moving.png")) for name in names]


def find_blocks(names: list[str], parts: dict[str, str]) -> list[tuple[str, int, int]]:
    """Return part, first and last position of each run of one part; gaps in between."""
    blocks: list[tuple[str, int, int]] = []
    for position, name in enumerate(names):
        part = parts.get(name)
        if part is None:
            continue
        if blocks and blocks[-1][0] == part and blocks[-1][2] == position - 1:
            blocks[-1] = (part, blocks[-1][1], position)
        else:
            blocks.append((part, position, position))
    return blocks


def check_blocks(names: list[str], parts: dict[str, str], gap: int) -> None:
    blocks = find_blocks(names, parts)
    assert [block[0] for block in blocks] == list(PART_SHARES) * (len(blocks) // 3)
    assert all(after[1] - before[2] == gap + 1 for before, after in pairwise(blocks))
    assert (blocks[0][1], blocks[-1][2]) == (0, len(names) - 1)
    for part, share in PART_SHARES.items():
        count = sum(last - first + 1 for name, first, last in blocks if name == part)
        assert count / len(parts) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(("cycles", "gap"), [(1, 3), (2, 3), (3, 1)])
def test_blocks_are_contiguous_and_apart(cycles: int, gap: int) -> None:
    parts = split_blocks(NAMES, cycles, gap)
    assert len(find_blocks(list(NAMES), parts)) == 3 * cycles
    check_blocks(list(NAMES), parts, gap)


def test_a_short_stack_is_refused() -> None:
    with pytest.raises(InputError, match=r"too few slices.*fewer cycles"):
        split_blocks(NAMES[:12])
    assert set(split_blocks(NAMES[:12], cycles=1).values()) == set(PART_SHARES)


def test_a_part_is_selected_in_the_order_of_the_cases(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    parts = split_blocks(NAMES)
    write_split(path, parts)
    assert read_split(path) == parts
    cases = make_cases()
    selected = [case.id for case in select_part(cases, path, ("test", "validation"))]
    assert selected == [name for name in NAMES if parts.get(name) in ("test", "validation")]
    train = {case.id for case in select_part(cases, path, ("train",))}
    assert not train & set(selected)
    assert len(train) + len(selected) == len(parts) == len(NAMES) - 5 * GAP


@pytest.mark.parametrize(
    ("text", "parts", "said"),
    [
        ("name,part\nslice_001,train\n", ("testing",), "unknown part; expected train, test"),
        ("name,part\nslice_001,tset\n", ("test",), "slice_001: unknown part of a split"),
        ("name,part\nslice_001,test\nslice_001,train\n", ("test",), "listed twice"),
        ("name,part\nslice_001,train\n", ("test",), "no slices in this part"),
        ("name\nslice_001\n", ("test",), "columns are missing; expected part"),
        (
            "name,part\n" + "".join(f"other_{n},train\n" for n in range(6)),
            ("train",),
            "slices that the data has not.*other_3 and 2 more",
        ),
        (None, ("train",), "no such split file"),
    ],
)
def test_a_wrong_split_is_one_clear_line(
    text: str | None, parts: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "split.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        select_part(make_cases(), path, parts)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["allen_slices", "bigbrain_slices"])
def test_the_shipped_splits_are_those_of_the_data(name: str, real_data: Path) -> None:
    names = [case.id for case in read_data_set(real_data / name).cases]
    assert read_split(SPLITS / f"{name}.csv") == split_blocks(names)


@pytest.mark.parametrize(("name", "count"), [("allen_slices", 93), ("bigbrain_slices", 344)])
def test_the_shipped_splits_keep_neighbours_together(name: str, count: int) -> None:
    parts = read_split(SPLITS / f"{name}.csv")
    assert len(parts) == count - 5 * GAP
    numbers = {slice_name: int(slice_name.removeprefix("slice_")) for slice_name in parts}
    assert list(numbers.values()) == sorted(numbers.values())
    for first, second in pairwise(parts):
        if parts[first] != parts[second]:
            assert numbers[second] - numbers[first] > GAP


def test_all_classes_are_in_every_part_of_the_labelled_set(real_data: Path) -> None:
    cases = read_data_set(real_data / "allen_slices").cases
    for part in PART_SHARES:
        classes: set[int] = set()
        for case in select_part(cases, SPLITS / "allen_slices.csv", (part,)):
            assert case.open_fixed_labels is not None
            with case.open_fixed_labels() as labels:
                classes |= set(np.unique(labels.read(labels.frame).pixels).tolist())
        assert classes >= {1, 2, 3, 4}
