"""Landmarks: corresponding points of a slide, and their ANHIR CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.point_table import (
    PointTable,
    TableSide,
    normalise_name,
    read_point_table,
)
from stainbridge.geometry.points import as_points
from stainbridge.types import Points


@dataclass(frozen=True, eq=False, repr=False)
class Landmarks:
    """Labelled points of one slide.

    Raises `InputError` for another shape or another number of labels.

    Example:
        >>> frame = stainbridge.Space("he.svs", height=600, width=800, mpp=(0.5, 0.5)).frame
        >>> landmarks = stainbridge.Landmarks(np.array([[120.0, 80.0]]), ("a",), frame)
        >>> landmarks.points_um
        array([[60., 40.]])

    """

    points_px: Points
    """(N, 2) in full-resolution pixels."""
    labels: tuple[str, ...]
    """One label for each point."""
    frame: Frame
    """The full-resolution frame of the slide."""

    def __post_init__(self) -> None:
        if np.ndim(self.points_px) != 2 or np.shape(self.points_px)[1] != 2:
            raise InputError("landmarks must be (N, 2)", got=np.shape(self.points_px))
        if len(self.labels) != len(self.points_px):
            raise InputError(
                "one label per landmark", expected=len(self.points_px), got=len(self.labels)
            )

    def __repr__(self) -> str:
        """Return one line: the slide and the number of points."""
        return f"<Landmarks of {self.frame.label!r}: {len(self.labels)} points>"

    @property
    def points_um(self) -> Points:
        """(N, 2) in µm of the slide's space."""
        return self.frame.to_um(self.points_px)


def read_points_csv(
    path: Path | str, frame: Frame | None = None, side: TableSide = ""
) -> tuple[Points, tuple[str, ...]]:
    """Read (N, 2) points in full-resolution pixels, and their labels, from a table.

    It has columns `X` and `Y`, as ANHIR's, or QuPath's centroids or napari's axes, and may have one
    of labels: an unnamed one, `id`, `landmark`, `label`, `name` and others.

    Args:
        path: The file; cells are apart by comma, semicolon or tab.
        frame: The slide, whose pixel size converts columns in µm.
        side: "fixed" or "moving": the slide to read of Xenium Explorer's key points.

    Returns:
        Points (N, 2), x and y, and one label for each.

    Raises:
        InputError: Missing columns, values that are not numbers, columns in µm without a slide.
        MissingFileError: There is no such file.

    Example:
        >>> stainbridge.write_points_csv("he.csv", [[120, 80], [64, 200]], ("gland", "duct"))
        >>> points_px, labels = stainbridge.read_points_csv("he.csv")
        >>> points_px
        array([[120.,  80.],
               [ 64., 200.]])
        >>> labels
        ('gland', 'duct')

    """
    table = read_point_table(path, side)
    points_px = read_px(table, path) if frame is None else table.to_px(frame)
    return points_px, table.labels


def read_px(table: PointTable, path: Path | str) -> Points:
    """Return a table's points (N, 2) in full-resolution pixels, without its slide.

    Raises `InputError` for columns in µm.
    """
    if table.unit != "px":
        raise InputError(
            "the points are in µm, and no slide tells how large a pixel is",
            where=path,
            expected="columns X and Y in pixels",
            got=table.header[table.columns[0]],
        )
    return table.values


def match_labels(
    first: tuple[str, ...], second: tuple[str, ...]
) -> tuple[list[int], list[int]] | None:
    """Return the rows of two files whose labels are equal, in the order of the first.

    Labels are equal as whole numbers too: 3 and 3.0. Returns None where labels do not decide: a
    label occurs twice, or each file has a label that the other lacks. Rows then correspond by their
    order, as in ANHIR.
    """
    first_rows = {_label_key(label): row for row, label in enumerate(first)}
    second_rows = {_label_key(label): row for row, label in enumerate(second)}
    repeated = len(first_rows) < len(first) or len(second_rows) < len(second)
    contains = first_rows.keys() <= second_rows.keys() or second_rows.keys() <= first_rows.keys()
    if repeated or not contains:
        return None
    shared = [key for key in first_rows if key in second_rows]
    return [first_rows[key] for key in shared], [second_rows[key] for key in shared]


def match_tables(first: PointTable, second: PointTable) -> tuple[list[int], list[int]] | None:
    """Return the rows of two tables that are of one point, as `match_labels` does.

    Where not both have ids, a column of any name decides that holds the same values in both, each
    once.
    """
    if not (first.has_ids and second.has_ids):
        for name in dict.fromkeys(map(normalise_name, first.header)):
            keys = [_list_keys(table, name) for table in (first, second)]
            if keys[0] and set(keys[0]) == set(keys[1]):
                return match_labels(keys[0], keys[1])
    return match_labels(first.labels, second.labels)


def _list_keys(table: PointTable, name: str) -> tuple[str, ...]:
    """Return the values of a column, empty where it does not tell every row from the others."""
    names = [normalise_name(column) for column in table.header]
    if name not in names or names.index(name) in table.columns:
        return ()
    values = tuple(row[names.index(name)] for row in table.rows)
    keys = {_label_key(value) for value in values}
    return values if len(keys) == len(values) and "" not in keys else ()


def _label_key(label: str) -> str:
    text = label.strip()
    whole = re.fullmatch(r"([+-]?\d+)\.0*", text)
    return text if whole is None else whole.group(1)


def write_points_csv(
    path: Path | str, points_px: npt.ArrayLike, labels: Sequence[str] | None = None
) -> None:
    """Write points as an ANHIR CSV; the file appears whole or not at all.

    Args:
        path: The file; an existing one is replaced.
        points_px: (N, 2), x and y in full-resolution pixels.
        labels: One label a point; None: their numbers from 0.

    Raises:
        InputError: Points of another shape, another number of labels, a file that cannot be
            written.

    Example:
        >>> stainbridge.write_points_csv("points.csv", [[120, 80], [64, 200]])
        >>> import pathlib
        >>> pathlib.Path("points.csv").read_text().splitlines()
        [',X,Y', '0,120.0000,80.0000', '1,64.0000,200.0000']

    """
    from stainbridge.whole import whole_file

    path = Path(path)
    points = as_points(points_px, "points_px")
    names = [str(row) for row in range(len(points))] if labels is None else labels
    if len(names) != len(points):
        raise InputError(
            "one label per point", where="labels", expected=len(points), got=len(names)
        )
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["", "X", "Y"])
        writer.writerows(
            [name, f"{x:.4f}", f"{y:.4f}"] for name, (x, y) in zip(names, points, strict=True)
        )
