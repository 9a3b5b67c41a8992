"""Compare two masks: their overlap, and the distances between their outlines.

Definitions as in Maier-Hein et al. 2024, "Metrics reloaded", doi:10.1038/s41592-023-02151-z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

from stainbridge.errors import InputError
from stainbridge.metrics.masks import check_bool
from stainbridge.types import Mask

#: Labels of a label picture, at most; one with more is an ordinary picture.
MAX_LABELS = 256


@dataclass(frozen=True)
class MaskScores:
    """Overlap of two masks, and distances between their outlines in the unit of the spacing.

    An outline is a mask's pixels with a side neighbour outside the mask. Distances are infinite
    where one mask is empty.
    """

    dice: float
    """2 |A ∩ B| / (|A| + |B|)."""
    hausdorff: float
    """The largest distance of either outline from the other."""
    hd95: float
    """The greater of the two 95th percentiles of the distances."""
    mean_surface_distance: float
    """The mean of the two mean distances."""


#: The scores of a label that one picture lacks.
ABSENT_SCORES = MaskScores(0.0, float("inf"), float("inf"), float("inf"))


def dice(a: Mask, b: Mask) -> float:
    """Return Dice's overlap of two masks, (H, W) bool, 0 to 1.

    Raises `InputError` when sizes differ or both are empty.
    """
    _check_sizes(a, b)
    for mask in (a, b):
        check_bool(mask)
    total = int(a.sum()) + int(b.sum())
    if not total:
        raise InputError("both masks are empty", expected="at least one pixel inside")
    return 2 * int((a & b).sum()) / total


def score_masks(a: Mask, b: Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> MaskScores:
    """Compare two masks, (H, W), whose pixels are `spacing` = (x, y) apart, in µm say.

    Raises `InputError` when sizes differ or a mask is empty.
    """
    overlap = dice(a, b)
    for name, mask in (("the first mask", a), ("the second mask", b)):
        if not mask.any():
            raise InputError("the mask is empty", where=name, expected="at least one pixel inside")
    box = _box_around(a | b)
    from_a, from_b = surface_distances(a[box], b[box], spacing)
    return MaskScores(
        dice=overlap,
        hausdorff=float(max(from_a.max(), from_b.max())),
        hd95=float(max(np.percentile(from_a, 95), np.percentile(from_b, 95))),
        mean_surface_distance=float((from_a.mean() + from_b.mean()) / 2),
    )


def score_labels(
    a: npt.NDArray[np.integer],
    b: npt.NDArray[np.integer],
    spacing: tuple[float, float] = (1.0, 1.0),
) -> dict[int, MaskScores]:
    """Compare label pictures, (H, W), by `score_masks` for every value but 0, ascending.

    A label that only one has scores 0 and infinite distances. Raises `InputError` when sizes
    differ, either picture has no label, or there are more than 256.
    """
    _check_sizes(a, b)
    labels = list_labels(a, "the first picture") | list_labels(b, "the second picture")
    scores = {}
    for label in sorted(labels):
        in_a = a == label
        in_b = b == label
        scores[label] = (
            score_masks(in_a, in_b, spacing) if in_a.any() and in_b.any() else ABSENT_SCORES
        )
    return scores


def list_labels(labels: npt.NDArray[np.integer], where: object = None) -> set[int]:
    """Return the values of a label picture but 0.

    Raises `InputError` when there are none or more than 256.
    """
    values = set(np.unique(labels).tolist()) - {0}
    if not values:
        raise InputError("the mask is empty", where=where, expected="pixels that are not 0")
    if len(values) > MAX_LABELS:
        raise InputError(
            "not a label picture", where=where, expected=f"≤ {MAX_LABELS} values", got=len(values)
        )
    return values


def surface_distances(
    a: Mask, b: Mask, spacing: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the distances of a's outline pixels from b's outline, (N,), and the reverse, (M,)."""
    outline_a = _outline(a)
    outline_b = _outline(b)
    from_a = _distances_to(outline_b, spacing)[outline_a]
    from_b = _distances_to(outline_a, spacing)[outline_b]
    return from_a, from_b


def _outline(mask: Mask) -> Mask:
    return np.asarray(mask & ~binary_erosion(mask))


def _distances_to(outline: Mask, spacing: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.asarray(distance_transform_edt(~outline, sampling=spacing[::-1]))


def _box_around(mask: Mask) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _check_sizes(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> None:
    if a.ndim != 2 or a.shape != b.shape:
        raise InputError("the masks do not have the same size", expected=a.shape, got=b.shape)
