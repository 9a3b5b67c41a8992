"""Split the slices of a stack by blocks: neighbours look alike, so a random split would leak."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.case import Case
from stainbridge.slides.manifest import read_table
from stainbridge.whole import whole_file

#: The parts of a split, in the order of their blocks, and their shares of the slices.
PART_SHARES = {"train": 0.6, "test": 0.25, "validation": 0.15}
#: How often the parts' blocks follow each other through the stack.
CYCLES = 2
#: Slices left out between two blocks: as many as registration networks train across.
GAP = 3
#: The columns of a split file.
COLUMNS = ("name", "part")
#: Most names that a message lists.
_LISTED_NAMES = 4


def split_blocks(
    names: Sequence[str],
    cycles: int = CYCLES,
    gap: int = GAP,
    shares: Mapping[str, float] = PART_SHARES,
) -> dict[str, str]:
    """Return the part of each slice by name, in the order of the stack.

    The stack is cut into a block of each part, `cycles` times one after the other. `gap` slices
    between two blocks are in no part. `shares` are those of the other slices.

    Raises `InputError` where a block would be empty.
    """
    parts = list(shares) * cycles
    count = len(names) - gap * (len(parts) - 1)
    bounds = np.cumsum([0.0, *(shares[part] for part in parts)])
    ends = np.rint(bounds / bounds[-1] * max(count, 0)).astype(int)
    if (np.diff(ends) < 1).any():
        raise InputError(
            "too few slices to split",
            expected=f"one or more in each of {len(parts)} blocks, and {gap} between blocks",
            got=len(names),
            remedy="use fewer cycles or a smaller gap",
        )
    return {
        name: part
        for block, part in enumerate(parts)
        for name in names[ends[block] + block * gap : ends[block + 1] + block * gap]
    }


def write_split(path: Path, parts: Mapping[str, str]) -> None:
    """Write a split file: the part of each slice by name."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(parts.items())


def read_split(path: Path) -> dict[str, str]:
    """Return the part of each slice by name, as a split file has it.

    Raises `InputError` for a file that is missing or no such table, an unknown part, and a slice
    that is listed twice.
    """
    if not path.is_file():
        raise MissingFileError("no such split file", where=path)
    parts: dict[str, str] = {}
    for row in read_table(path, COLUMNS):
        name = row["name"]
        part = row["part"]
        if part not in PART_SHARES:
            raise InputError(
                "unknown part of a split",
                where=f"{path}: {name}",
                expected=", ".join(PART_SHARES),
                got=part,
            )
        if name in parts:
            raise InputError("a slice is listed twice", where=f"{path}: {name}")
        parts[name] = part
    return parts


def select_part(cases: Sequence[Case], split_path: Path, parts: Sequence[str]) -> list[Case]:
    """Return the cases of some parts of a split, in the order of `cases`.

    Cases that the file does not list are in no part. Raises `InputError` as `read_split` does, for
    unknown `parts`, for slices of the file that no case has, and where no case is left.
    """
    for part in parts:
        if part not in PART_SHARES:
            raise InputError("unknown part", expected=", ".join(PART_SHARES), got=part)
    part_of = read_split(split_path)
    unknown = sorted(set(part_of) - {case.id for case in cases})
    if unknown:
        more = f" and {len(unknown) - _LISTED_NAMES} more" if len(unknown) > _LISTED_NAMES else ""
        raise InputError(
            "the split lists slices that the data has not",
            where=split_path,
            expected="names of slices",
            got=", ".join(unknown[:_LISTED_NAMES]) + more,
        )
    selected = [case for case in cases if part_of.get(case.id) in parts]
    if not selected:
        raise InputError("no slices in this part", where=split_path, got=", ".join(parts))
    return selected
