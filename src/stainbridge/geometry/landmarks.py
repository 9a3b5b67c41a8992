"""Landmarks: corresponding points of a slide, and their ANHIR CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.frame import Frame
from stainbridge.types import Points


@dataclass(frozen=True, eq=False)
class Landmarks:
    """`points_px`: (N, 2), full-resolution pixels of the slide that `frame` describes; one label a
    point.
    """

    points_px: Points
    labels: tuple[str, ...]
    frame: Frame

    def __post_init__(self) -> None:
        if self.points_px.ndim != 2 or self.points_px.shape[1] != 2:
            raise InputError("landmarks must be (N, 2)", got=self.points_px.shape)
        if len(self.labels) != len(self.points_px):
            raise InputError(
                "one label per landmark", expected=len(self.points_px), got=len(self.labels)
            )

    @property
    def points_um(self) -> Points:
        """(N, 2) in µm of the slide's space."""
        return self.frame.to_um(self.points_px)


def read_points_csv(path: Path) -> tuple[Points, tuple[str, ...]]:
    """An ANHIR CSV (index column, `X`, `Y`; full-resolution pixels) as (N, 2) points and their
    labels.

    Raises `InputError` for a missing file, missing columns or values that are not numbers.
    """
    if not path.is_file():
        raise MissingFileError("no such landmark file", where=path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            "not a landmark CSV", where=path, expected="text in UTF-8", got=error
        ) from error
    header = [name.strip().upper() for name in rows[0]] if rows else []
    if "X" not in header or "Y" not in header:
        raise InputError(
            "not a landmark CSV",
            where=path,
            expected="columns X and Y",
            got=rows[0] if rows else "nothing",
        )
    x, y = header.index("X"), header.index("Y")
    label = header.index("") if "" in header else None
    points, labels = [], []
    for number, row in enumerate(rows[1:]):
        try:
            points.append((float(row[x]), float(row[y])))
        except (ValueError, IndexError):
            raise InputError(
                "not a number", where=f"{path} line {number + 2}", expected="X,Y", got=row
            ) from None
        labels.append(row[label] if label is not None else str(number))
    array = np.array(points, float).reshape(-1, 2)
    if not np.isfinite(array).all():
        raise InputError("landmarks must be finite", where=path)
    return array, tuple(labels)


def match_labels(
    first: tuple[str, ...], second: tuple[str, ...]
) -> tuple[list[int], list[int]] | None:
    """The rows of two files whose labels are the same, in the order of the first.

    None where labels do not tell: a label stands twice, or each file has some the other has not.
    Then rows correspond by their order, as ANHIR has it.
    """
    places = [{label: row for row, label in enumerate(labels)} for labels in (first, second)]
    alone = set(first) - set(second), set(second) - set(first)
    if len(places[0]) < len(first) or len(places[1]) < len(second) or all(alone):
        return None
    both = [label for label in first if label in places[1]]
    return [places[0][label] for label in both], [places[1][label] for label in both]


def write_points_csv(path: Path, points_px: Points, labels: tuple[str, ...]) -> None:
    """Write points as an ANHIR CSV; the file appears whole or not at all."""
    from stainbridge.whole import whole_file

    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["", "X", "Y"])
        writer.writerows(
            [name, f"{x:.4f}", f"{y:.4f}"] for name, (x, y) in zip(labels, points_px, strict=True)
        )
