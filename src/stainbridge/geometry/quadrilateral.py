"""The homography between two quadrilaterals, through the unit square.

Liu et al. 2022, "BCI: Breast Cancer Immunohistochemical Image Generation through Pyramid Pix2pix",
doi:10.1109/CVPRW56347.2022.00198, sec. 3.2: the quadrilateral on one slide is mapped to a square,
and the square to the quadrilateral on the other. The closed form is of Heckbert 1989, "Fundamentals
of Texture Mapping and Image Warping", sec. 2.2.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from stainbridge.errors import InputError
from stainbridge.types import Matrix, Points

#: Two corners coincide where they are nearer than this share of the longest distance.
LEAST_DISTANCE = 0.01
#: Three are on a line where their triangle is lower than this share of the longest distance.
LEAST_HEIGHT = 0.02


def map_quadrilateral(
    corners: Points, onto: Points, labels: Sequence[str], where: tuple[object, object]
) -> Matrix:
    """Return the homography (3, 3) that takes four `corners` to the four of `onto`.

    Both are (4, 2) and correspond row by row. The order of the rows does not matter. The other
    quadrilateral may be a mirror image.

    Args:
        corners: (4, 2) in any unit.
        onto: (4, 2) in any unit.
        labels: The four corners' names, for messages.
        where: What to call the first and the second side in messages.

    Raises:
        InputError: Corners that coincide, three on a line, a quadrilateral that is not convex, or
            another order around the second one than around the first.

    """
    for side, name in ((corners, where[0]), (onto, where[1])):
        _check_spread(side, labels, name)
    around = _sort_around(corners)
    names = [labels[row] for row in around]
    _check_convex(corners[around], names, where[0])
    _check_order(onto[around], names, where)
    return _map_unit_square(onto[around]) @ np.linalg.inv(_map_unit_square(corners[around]))


def _map_unit_square(corners: Points) -> Matrix:
    """Return the homography that takes (0, 0), (1, 0), (1, 1), (0, 1) to four corners."""
    first, second, third, fourth = corners
    bend = first - second + third - fourth
    right, down = second - third, fourth - third
    g, h = np.linalg.solve(np.column_stack([right, down]), bend)
    columns = [second - first + g * second, fourth - first + h * fourth, first]
    return np.vstack([np.column_stack(columns), [g, h, 1.0]])


def _sort_around(corners: Points) -> list[int]:
    """Return the rows in their order around the corners' centre."""
    x, y = (corners - corners.mean(axis=0)).T
    return [int(row) for row in np.argsort(np.arctan2(y, x), kind="stable")]


def _check_spread(corners: Points, labels: Sequence[str], where: object) -> None:
    """Raise `InputError` where corners coincide or three are on a line."""
    pairs = list(combinations(range(4), 2))
    distances = [float(np.hypot(*(corners[b] - corners[a]))) for a, b in pairs]
    longest = max(distances)
    nearest = int(np.argmin(distances))
    if distances[nearest] <= LEAST_DISTANCE * longest:
        raise InputError(
            "two landmarks coincide",
            where=where,
            expected="four places, far apart",
            got=_join(labels[row] for row in pairs[nearest]),
        )
    for rows in combinations(range(4), 3):
        a, b, c = corners[list(rows)]
        base = max(np.hypot(*(b - a)), np.hypot(*(c - b)), np.hypot(*(a - c)))
        if abs(_cross(b - a, c - a)) / base <= LEAST_HEIGHT * longest:
            raise InputError(
                "three landmarks are on a line",
                where=where,
                expected="the corners of a quadrilateral",
                got=_join(labels[row] for row in rows),
                remedy="move one off the line, or add a fifth",
            )


def _check_convex(corners: Points, labels: Sequence[str], where: object) -> None:
    """Raise `InputError` where one of the corners, in their order, lies between the others."""
    turns = _turns(corners)
    if abs(turns.sum()) < 4:
        inner = labels[int(np.argmin(turns * np.sign(turns.sum() or 1)))]
        raise InputError(
            "a landmark lies inside the triangle of the others",
            where=where,
            expected="the corners of a convex quadrilateral",
            got=inner,
            remedy="move it outward, or add a fifth",
        )


def _check_order(onto: Points, labels: Sequence[str], where: tuple[object, object]) -> None:
    """Raise `InputError` unless the corners follow one another around both quadrilaterals."""
    turns = _turns(onto)
    if turns.sum() == 0:
        around = _sort_around(onto)
        begin = around.index(0)
        raise InputError(
            "the landmarks' quadrilateral is crossed",
            where=where[1],
            expected=f"around it {_join(labels)} as on {where[0]}",
            got=_join(labels[row] for row in around[begin:] + around[:begin]),
            remedy="see whether two landmarks are exchanged",
        )
    _check_convex(onto, labels, where[1])


def _turns(corners: Points) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the sense of the turn, 1 or −1, at each corner, (4,)."""
    before = corners - np.roll(corners, 1, axis=0)
    after = np.roll(corners, -1, axis=0) - corners
    return np.sign(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])


def _cross(a: Points, b: Points) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def _join(labels: Iterable[str]) -> str:
    return ", ".join(f"'{label}'" for label in labels)
