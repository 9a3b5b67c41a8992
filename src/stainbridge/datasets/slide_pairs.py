"""A manifest of slides to train a translation on: a CSV of `fixed` and `moving`, and how they lie
on each other.

`transform` is what `stainbridge register` wrote, its folder or its transform.h5, or empty; `split`
"train" or "test"; `fixed_mpp` and `moving_mpp` pixel sizes in µm of slides that do not know theirs.
Paths are relative to the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stainbridge.datasets.table import Row, existing, numbers, read_table
from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.transform import Transform
from stainbridge.registration.store import load
from stainbridge.slides.case import OpenSlideFunction
from stainbridge.slides.open import open_slide
from stainbridge.translation.training.slide_stream import SlidePair

COLUMNS = ("fixed", "moving")
#: From so many pairs on, one in `HELD_ONE_IN` is held out where the table has no split.
HELD_FROM, HELD_ONE_IN = 5, 5


@dataclass(frozen=True, eq=False)
class SlideSet:
    """Pairs to train on, pairs to measure on, and what to know about it; `mpp` of the first, None
    when not known.
    """

    training: tuple[SlidePair, ...]
    held: tuple[SlidePair, ...]
    mpp: float | None
    note: str = ""


def read_slide_pairs(table: Path, reverse: bool = False) -> SlideSet:
    """The pairs of a manifest; slides are opened for their frames only.

    Raises `InputError` for missing columns and files, a split of another name, and transforms that
    cannot be read.
    """
    rows = read_table(table, COLUMNS)
    pairs = [_pair(row, table, reverse) for row in rows]
    with pairs[0].open_fixed() as slide:
        mpp = slide.frame.mpp[0] if slide.frame.calibrated else None
    splits = [_split(row, table) for row in rows]
    if "test" in splits:
        training = tuple(pair for pair, split in zip(pairs, splits, strict=True) if split != "test")
        held = tuple(pair for pair, split in zip(pairs, splits, strict=True) if split == "test")
        return SlideSet(training, held, mpp)
    if len(pairs) < HELD_FROM:
        note = (
            f"{len(pairs)} pairs are too few to keep some out: training slides are measured on too"
        )
        return SlideSet(tuple(pairs), tuple(pairs), mpp, note)
    return SlideSet(
        tuple(pair for number, pair in enumerate(pairs) if number % HELD_ONE_IN),
        tuple(pairs[::HELD_ONE_IN]),
        mpp,
    )


def _split(row: Row, table: Path) -> str:
    split = row.get("split") or "train"
    if split not in ("train", "test"):
        raise InputError(
            "unknown split", where=f"{table}: {row['fixed']}", expected="train or test", got=split
        )
    return split


def _pair(row: Row, table: Path, reverse: bool) -> SlidePair:
    fixed, moving = (_opener(row, column, table) for column in COLUMNS)
    transform = (
        _transform(table.parent / row["transform"], fixed, moving) if row.get("transform") else None
    )
    return SlidePair(fixed, moving, transform, reverse)


def _opener(row: Row, column: str, table: Path) -> OpenSlideFunction:
    path, mpp = existing([table.parent], row[column], table), f"{column}_mpp"
    if not row.get(mpp):
        return partial(open_slide, path)
    return partial(open_slide, path, mpp=float(numbers(row, (mpp,), f"{table}: {row[column]}")[0]))


def _transform(path: Path, fixed: OpenSlideFunction, moving: OpenSlideFunction) -> Transform:
    if path.is_dir():
        return load(path).transform
    if not path.is_file():
        raise MissingFileError(
            "no such transform", where=path, expected="a folder of register, or transform.h5"
        )
    with fixed() as first, moving() as second:
        return read_transform(path, first.frame.space, second.frame.space)
