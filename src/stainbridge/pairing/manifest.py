"""Read the manifest of slide pairs: a CSV with a row for each pair."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast, get_args

from stainbridge.errors import InputError, MissingFileError
from stainbridge.pairing.source import SlidePair, Split
from stainbridge.slides.manifest import (
    TableRow,
    check_columns,
    check_id,
    find_row_file,
    parse_mpp,
    read_header,
    read_table,
)

#: The columns that a manifest may have.
COLUMNS = tuple(field.name for field in fields(SlidePair))
#: The columns that it must have; without `patient` nobody can tell which pairs belong together.
REQUIRED = ("patient", "fixed", "moving")
#: The columns that hold files.
FILES = (
    "fixed",
    "moving",
    "fixed_landmarks",
    "moving_landmarks",
    "fixed_mask",
    "moving_mask",
    "transform",
)
#: The columns that hold pixel sizes.
NUMBERS = ("fixed_mpp", "moving_mpp")
#: What labels may be made of: as ids, but an underscore ends what comes before them.
LABEL = re.compile(r"[A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class SplitShares:
    """The shares of patients in the splits, where the manifest has none.

    Raises `InputError` for shares that leave nothing to train on.
    """

    test: float = 0.2
    """Share of patients to test on (BCI: a fifth of the patches)."""
    val: float = 0.0
    """Share of patients to validate on."""

    def __post_init__(self) -> None:
        for name in ("test", "val"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"the {name} share of patients is out of range",
                    expected="0 or more, less than 1",
                    got=getattr(self, name),
                )
        if not self.test + self.val < 1:
            raise InputError(
                "the shares leave no patient to train on",
                expected="test and val shares below 1 together",
                got=self.test + self.val,
            )


def read_slide_pairs(
    path: Path, shares: SplitShares | None = None, seed: int = 0
) -> tuple[SlidePair, ...]:
    """Return the slide pairs of a manifest, in its order.

    Files are relative to the manifest's folder. Without a column `id`, the fixed slide's name is
    the id. Without a column `split`, patients are split by `shares` and `seed`; None: the default.

    Raises:
        InputError: Unknown or missing columns, two pairs of one id, a patient in two splits, a
            slide of two patients, shares for a manifest that has splits, or values that cannot be
            used.
        MissingFileError: The manifest or a file that it names does not exist.

    """
    if not path.is_file():
        raise MissingFileError("no such file", where=path)
    header = read_header(path)
    _check_header(path, header)
    pairs = [
        _make_pair(row, path, f"{path}, pair {number}")
        for number, row in enumerate(read_table(path, REQUIRED), 1)
    ]
    if "split" not in header:
        pairs = split_by_patient(pairs, shares or SplitShares(), seed)
    elif shares is not None:
        raise InputError(
            "the manifest has splits already",
            where=path,
            remedy="leave out the shares, or the column split",
        )
    check_slide_pairs(pairs, path)
    return tuple(pairs)


def make_single_pair(fixed: Path, moving: Path, **values: object) -> SlidePair:
    """Return the pair of two slides without a manifest: its own patient, all for training.

    The id is the fixed slide's name. `values` are further fields of `SlidePair`. Raises
    `MissingFileError` for a file that does not exist.
    """
    name = derive_id(fixed)
    pair = SlidePair(
        id=name,
        patient=name,
        split="train",
        fixed=fixed,
        moving=moving,
        **values,  # type: ignore[arg-type]
    )
    for column in FILES:
        file = getattr(pair, column)
        if file is not None and not file.exists():
            raise MissingFileError("no such file", where=file)
    _check_values(pair, fixed)
    return pair


def derive_id(slide: Path) -> str:
    """Return a slide's name up to its first dot, in characters that ids may have."""
    name = re.sub(r"[^A-Za-z0-9_+-]+", "-", slide.name.split(".")[0]).strip("-_+")
    return name or "pair"


def split_by_patient(pairs: Sequence[SlidePair], shares: SplitShares, seed: int) -> list[SlidePair]:
    """Return the pairs with splits: all pairs of a patient are in one.

    Patients are put in an order that their names and the seed decide. The first `shares.test` of
    them, to the nearest patient, test; the next `shares.val` validate; the others train.
    """
    patients = sorted({pair.patient for pair in pairs}, key=lambda name: _draw(name, seed))
    test = min(_round_half_up(shares.test * len(patients)), len(patients) - 1)
    val = min(_round_half_up(shares.val * len(patients)), len(patients) - 1 - test)
    splits: dict[str, Split] = dict.fromkeys(patients, "train")
    splits.update(dict.fromkeys(patients[:test], "test"))
    splits.update(dict.fromkeys(patients[test : test + val], "val"))
    return [replace(pair, split=splits[pair.patient]) for pair in pairs]


def check_slide_pairs(pairs: Sequence[SlidePair], where: object) -> None:
    """Raise `InputError` where ids, splits or patients of pairs contradict each other."""
    # Some file systems do not tell a from A.
    _check_unique([(pair.id.lower(), pair.id) for pair in pairs], where)
    _check_single(((pair.patient, pair.split) for pair in pairs), "patient", "split", where)
    slides = ((str(file), pair.patient) for pair in pairs for file in (pair.fixed, pair.moving))
    _check_single(slides, "slide", "patient", where)
    _check_names(pairs, where)


def _check_header(path: Path, header: Sequence[str]) -> None:
    check_columns(path, header, COLUMNS)
    if "patient" not in header and set(REQUIRED) - {"patient"} <= set(header):
        raise InputError(
            "the manifest does not say whose tissue it is",
            where=path,
            expected="a column patient",
            remedy="add it, so that no patient is in two splits",
        )


def _make_pair(row: TableRow, path: Path, where: str) -> SlidePair:
    """Return the pair of a row; raises `InputError` that says where the row is."""
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"no {name}", where=where)
    values: dict[str, object] = {"id": row.get("id") or derive_id(Path(row["fixed"]))}
    for name in FILES:
        if text := row.get(name, ""):
            values[name] = find_row_file(path, text)
    for name in NUMBERS:
        if text := row.get(name, ""):
            values[name] = parse_mpp(text, f"{where}: {name}")
    values["split"] = _parse_split(row["split"], where) if "split" in row else "train"
    pair = SlidePair(
        patient=row["patient"],
        label=row.get("label", ""),
        **values,  # type: ignore[arg-type]
    )
    _check_values(pair, where)
    return pair


def _parse_split(text: str, where: str) -> Split:
    if text not in get_args(Split):
        raise InputError(
            "no such split",
            where=where,
            expected=", ".join(get_args(Split)),
            got=repr(text),
            remedy="or leave out the column to split by patient",
        )
    return cast(Split, text)


def _check_values(pair: SlidePair, where: object) -> None:
    """Raise `InputError` for an id or label no file can have, and for half of a pair of points."""
    check_id(pair.id, where)
    if not LABEL.fullmatch(pair.label):
        raise InputError(
            "a label that cannot be part of file names",
            where=where,
            expected="letters, digits and . + -",
            got=repr(pair.label),
        )
    if (pair.fixed_landmarks is None) != (pair.moving_landmarks is None):
        raise InputError("landmarks are needed on both slides", where=where)
    if pair.transform is not None and pair.fixed_landmarks is not None:
        raise InputError(
            "a transform and landmarks exclude each other", where=where, remedy="leave one out"
        )
    if pair.fixed == pair.moving:
        raise InputError("both slides are one file", where=where, got=pair.fixed)


def _check_unique(ids: Iterable[tuple[str, str]], where: object) -> None:
    seen: set[str] = set()
    for key, name in ids:
        if key in seen:
            raise InputError(
                "two pairs have one id", where=where, got=name, remedy="give each its own id"
            )
        seen.add(key)


def _check_single(members: Iterable[tuple[str, str]], what: str, group: str, where: object) -> None:
    """Raise `InputError` for a member of two groups."""
    groups: dict[str, str] = {}
    for member, own in members:
        if groups.setdefault(member, own) != own:
            raise InputError(
                f"a {what} has two {group}s",
                where=where,
                expected=f"one {group} for {what} {member}",
                got=f"{groups[member]} and {own}",
            )


def _check_names(pairs: Sequence[SlidePair], where: object) -> None:
    """Raise `InputError` where two pairs may give patches of one name.

    Patches are named `ID_X_Y`, or `ID_X_Y_LABEL`: `a_1` without a label is at odds with `a` and a
    label of digits.
    """
    bare = {pair.id for pair in pairs if not pair.label}
    for pair in pairs:
        if pair.label.isdecimal():
            shape = re.compile(rf"{re.escape(pair.id)}_\d+")
            if clash := next((name for name in sorted(bare) if shape.fullmatch(name)), None):
                raise InputError(
                    "patches of two pairs could have the same name",
                    where=where,
                    got=f"{pair.id} with label {pair.label}, {clash} without",
                    remedy="rename one, or label both",
                )


def _draw(name: str, seed: int) -> str:
    """Return what the order of patients follows: a hash, the same on every machine."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def _round_half_up(value: float) -> int:
    return math.floor(value + 0.5)
