"""Pictures of single subjects: split them by subject, and pair different subjects.

Mahapatra & Ge 2021, "Segmentation-augmented registration": 70/10/20 by patient, and pairs of
pictures of different patients.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.datasets.picture_names import find_partners, list_pictures
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.manifest import read_table
from stainbridge.whole import whole_file

#: The folder of pictures, and those that may hold their labels.
IMAGES = "images"
LABELS = ("labels", "masks")
#: The parts of a split and their shares of the subjects.
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


@dataclass(frozen=True)
class SubjectPictures:
    """Pictures of subjects, with labels of the same file names, whatever their endings."""

    images: Path
    """The folder of pictures."""
    labels: Path | None
    """The folder of their labels; None where there is none."""
    names: tuple[str, ...]
    """The names of the files, sorted."""

    def find_labels(self) -> dict[str, Path]:
        """Return the labels by the names of their pictures; without those that have none."""
        if self.labels is None:
            return {}
        partners = find_partners(self.names, list_pictures(self.labels))
        return {name: self.labels / partner for name, partner in partners.items()}

    def require_masks(self, names: Sequence[str], remedy: str = "") -> tuple[Path, ...]:
        """Return the mask of each of these pictures.

        Raises `InputError`, with a remedy, where there is no folder of masks or one is missing.
        """
        if self.labels is None:
            raise InputError(
                "no masks to train on",
                where=self.images.parent,
                expected="a folder masks or labels",
                remedy=remedy,
            )
        masks = self.find_labels()
        missing = [name for name in names if name not in masks]
        if missing:
            raise MissingFileError(
                "a picture without its mask",
                where=self.labels / missing[0],
                expected="the same names in both folders",
                remedy=remedy,
            )
        return tuple(masks[name] for name in names)


def find_subjects(folder: Path) -> SubjectPictures:
    """Return the pictures of `folder/images`, with labels in `labels` or `masks`.

    Raises `InputError` where there are fewer than two.
    """
    images = folder / IMAGES
    names = tuple(sorted(list_pictures(images)))
    if len(names) < 2:
        raise InputError(
            "no pictures to pair", where=images, expected="at least two", got=len(names)
        )
    labels = next((folder / name for name in LABELS if (folder / name).is_dir()), None)
    return SubjectPictures(images, labels, names)


def read_groups(table: Path, names: Sequence[str], name_column: str, column: str) -> dict[str, str]:
    """Return by name what a column of a table says of it: its source or patient.

    Raises `InputError` for names that the table does not list.
    """
    groups = {row[name_column]: row[column] for row in read_table(table, (name_column, column))}
    missing = [name for name in names if name not in groups]
    if missing:
        raise InputError("pictures are not in the table", where=table, expected=missing[0])
    return {name: groups[name] for name in names}


def split_subjects(groups: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the part of each name: `train`, `validation` or `test`, about 70/10/20.

    `groups` says by name which belong together; these stay in one part. Groups are drawn in random
    order and go to the part that lacks most of its share.
    """
    names_of: dict[str, list[str]] = {}
    for name, group in groups.items():
        names_of.setdefault(group, []).append(name)
    order = sorted(names_of)
    np.random.default_rng(seed).shuffle(order)
    counts = dict.fromkeys(SHARES, 0)
    parts: dict[str, str] = {}
    for group in order:
        part = max(SHARES, key=lambda name: SHARES[name] * len(groups) - counts[name])
        counts[part] += len(names_of[group])
        parts.update(dict.fromkeys(names_of[group], part))
    return {name: parts[name] for name in groups}


def pair_subjects(
    names: Sequence[str], each: int = 1, seed: int | None = None
) -> list[tuple[str, str]]:
    """Return (fixed, moving) names: every name is fixed to the `each` names that follow it.

    The last ones are followed by the first. A seed shuffles the names first. Raises `InputError`
    for fewer names than that takes.
    """
    if not 1 <= each < len(names):
        raise InputError(
            "pairs for each picture", expected=f"1 to {len(names) - 1} of {len(names)}", got=each
        )
    order = list(names)
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    return [
        (fixed, order[(number + step) % len(order)])
        for number, fixed in enumerate(order)
        for step in range(1, each + 1)
    ]


def write_subject_pairs(
    path: Path, pictures: SubjectPictures, pairs: Sequence[tuple[str, str]]
) -> None:
    """Write a `pairs.csv` of pairs of names, with paths relative to it."""

    def relate(file: Path | None) -> str:
        return "" if file is None else Path(os.path.relpath(file, path.parent)).as_posix()

    labels_of = pictures.find_labels()
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "fixed", "moving", "fixed_labels", "moving_labels"))
        for fixed, moving in pairs:
            case = f"{Path(fixed).stem}-{Path(moving).stem}"
            images = (pictures.images / fixed, pictures.images / moving)
            labels = (labels_of.get(fixed), labels_of.get(moving))
            writer.writerow((case, *map(relate, images), *map(relate, labels)))
