"""Read a manifest of slide pairs to train a translation on: a CSV with `fixed` and `moving`.

Further columns may be there. `transform` is what `stainbridge register` wrote, its folder or its
transform.h5, or empty. `split` is "train" or "test". `fixed_mpp` and `moving_mpp` are pixel sizes
in µm of slides whose files give none. Paths are relative to the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.transform import Transform
from stainbridge.learn.split import split_validation
from stainbridge.registration.store import load
from stainbridge.slides.case import OpenSlideFunction
from stainbridge.slides.manifest import TableRow, find_named_file, read_numbers, read_table
from stainbridge.slides.open import open_slide
from stainbridge.translation.training.slide_stream import TrainingSlides

#: Columns that the table needs.
COLUMNS = ("fixed", "moving")


@dataclass(frozen=True, eq=False)
class SlideSet:
    """Pairs of slides, split for training and validation."""

    training: tuple[TrainingSlides, ...]
    """Pairs to train on."""
    validation: tuple[TrainingSlides, ...]
    """Pairs to validate on."""
    mpp: float | None
    """The pixel size of the first slide in µm; None where it is not known."""
    note: str = ""
    """What the user should know about the split, or empty."""


def read_slide_pairs(table: Path, reverse: bool = False) -> SlideSet:
    """Read the pairs of a manifest; slides are opened only for their frames.

    Raises `InputError` for missing columns and files, a split of another name, and transforms that
    cannot be read.
    """
    rows = read_table(table, COLUMNS)
    pairs = [_read_pair(row, table, reverse) for row in rows]
    with pairs[0].open_fixed() as slide:
        mpp = slide.frame.mpp[0] if slide.frame.calibrated else None
    names = [_split_name(row, table) for row in rows]
    if "test" in names:
        training = tuple(pair for pair, name in zip(pairs, names, strict=True) if name != "test")
        validation = tuple(pair for pair, name in zip(pairs, names, strict=True) if name == "test")
        return SlideSet(training, validation, mpp)
    split = split_validation(pairs)
    note = ""
    if split.is_shared:
        note = f"{len(pairs)} pairs are too few to split: training slides are validated on, too"
    return SlideSet(tuple(split.training), tuple(split.validation), mpp, note)


def _split_name(row: TableRow, table: Path) -> str:
    split = row.get("split") or "train"
    if split not in ("train", "test"):
        raise InputError(
            "unknown split", where=f"{table}: {row['fixed']}", expected="train or test", got=split
        )
    return split


def _read_pair(row: TableRow, table: Path, reverse: bool) -> TrainingSlides:
    fixed, moving = (_opener(row, column, table) for column in COLUMNS)
    transform = None
    if row.get("transform"):
        transform = _read_transform(table.parent / row["transform"], fixed, moving)
    return TrainingSlides(fixed, moving, transform, reverse)


def _opener(row: TableRow, column: str, table: Path) -> OpenSlideFunction:
    path = find_named_file([table.parent], row[column], table)
    mpp_column = f"{column}_mpp"
    if not row.get(mpp_column):
        return partial(open_slide, path)
    (mpp,) = read_numbers(row, (mpp_column,), f"{table}: {row[column]}")
    return partial(open_slide, path, mpp=float(mpp))


def _read_transform(path: Path, fixed: OpenSlideFunction, moving: OpenSlideFunction) -> Transform:
    if path.is_dir():
        return load(path).transform
    if not path.is_file():
        raise MissingFileError(
            "no such transform", where=path, expected="a folder of register, or transform.h5"
        )
    with fixed() as fixed_slide, moving() as moving_slide:
        return read_transform(path, fixed_slide.frame.space, moving_slide.frame.space)
