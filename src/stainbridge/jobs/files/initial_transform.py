"""The transform that points picked by hand on two slides stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.progress import Note, ignore_note

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.homography import HomographyFit
    from stainbridge.geometry.point_table import TableSide
    from stainbridge.geometry.transform import Projective
    from stainbridge.types import Points

#: Area factors at two places of a slide that differ by more are not of a section.
LARGEST_AREA_RATIO = 2.0


def read_initial_transform(
    fixed_points: Path,
    moving_points: Path,
    fixed: Frame,
    moving: Frame,
    note: Note = ignore_note,
    *,
    fixed_offset_px: tuple[float, float] = (0, 0),
    moving_offset_px: tuple[float, float] = (0, 0),
) -> Projective:
    """Return the homography, moving from fixed, of four or more point pairs.

    Points correspond by name; where names do not decide, by their order.

    Args:
        fixed_points: Points on the fixed slide: an ANHIR CSV, or GeoJSON of QuPath.
        moving_points: The same points on the moving slide.
        fixed: The fixed slide's full-resolution frame.
        moving: The moving slide's full-resolution frame.
        note: Called with a line for every doubt, such as a pair that the others contradict.
        fixed_offset_px: The corner that QuPath counts from (`SlideInfo.bounds_px`), for GeoJSON.
        moving_offset_px: The same on the moving slide.

    Raises:
        InputError: Fewer than four pairs, points off their slide, on a line, crossed or at odds
            with each other.

    """
    from stainbridge.geometry.homography import fit_homography

    fixed_px, moving_px, names = _read_pairs(
        fixed_points, moving_points, fixed_offset_px, moving_offset_px, note
    )
    for points, frame, path in (
        (fixed_px, fixed, fixed_points),
        (moving_px, moving, moving_points),
    ):
        _check_inside(points, names, frame, path)
    fit = fit_homography(
        fixed.to_um(fixed_px),
        moving.to_um(moving_px),
        fixed.space,
        moving.space,
        labels=names,
        where=(fixed_points, moving_points),
    )
    _note_outliers(fit, names, moving, note)
    _check_perspective(fit.transform, fixed, fixed_points, note)
    return fit.transform


def check_point_files(fixed_points: Path, moving_points: Path) -> None:
    """Raise `InputError` for point files that no homography can be had from, whatever the slides.

    It opens no slide, so that a long list is checked before work begins.
    """
    from stainbridge.geometry.frame import Space
    from stainbridge.geometry.homography import fit_homography

    origin = (0.0, 0.0)
    fixed_px, moving_px, names = _read_pairs(
        fixed_points, moving_points, origin, origin, ignore_note
    )
    planes = (Space(path.name, 1, 1) for path in (fixed_points, moving_points))
    where = (fixed_points, moving_points)
    fit_homography(fixed_px, moving_px, *planes, labels=names, where=where)


def _read_pairs(
    fixed_points: Path,
    moving_points: Path,
    fixed_offset_px: tuple[float, float],
    moving_offset_px: tuple[float, float],
    note: Note,
) -> tuple[Points, Points, list[str]]:
    """Return corresponding points (N, 2) in full-resolution pixels, and their names."""
    fixed_px, fixed_names = _read_points(fixed_points, fixed_offset_px, "fixed")
    moving_px, moving_names = _read_points(moving_points, moving_offset_px, "moving")
    rows, moving_rows = _match(fixed_names, moving_names, fixed_points, moving_points, note)
    return fixed_px[rows], moving_px[moving_rows], [fixed_names[row] for row in rows]


def _read_points(
    path: Path, offset_px: tuple[float, float], side: TableSide
) -> tuple[Points, tuple[str, ...]]:
    """Return points (N, 2) in full-resolution pixels and their names."""
    import numpy as np

    from stainbridge.geometry.landmarks import read_points_csv
    from stainbridge.geometry.points_geojson import read_points_geojson

    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".geojson" in suffixes[-2:] or ".json" in suffixes[-2:]:
        points, names = read_points_geojson(path)
        return points + np.asarray(offset_px, float), names
    return read_points_csv(path, side=side)


def _match(
    fixed: tuple[str, ...],
    moving: tuple[str, ...],
    fixed_path: Path,
    moving_path: Path,
    note: Note,
) -> tuple[list[int], list[int]]:
    """Return the rows of both files that correspond; raise `InputError` where it is not known."""
    from stainbridge.geometry.landmarks import match_labels

    by_name = match_labels(fixed, moving)
    if by_name is not None:
        return by_name
    if len(fixed) != len(moving):
        raise InputError(
            "the landmarks of the two slides must correspond one to one",
            where=moving_path,
            expected=f"{len(fixed)} as in {fixed_path}, or the same names",
            got=len(moving),
        )
    note(f"note: {moving_path}: the names differ; landmarks are paired by their order")
    return list(range(len(fixed))), list(range(len(moving)))


def _check_inside(points: Points, names: list[str], frame: Frame, path: Path) -> None:
    """Raise `InputError` for points that do not lie on the slide."""
    import numpy as np

    outside = np.flatnonzero(~frame.contains(frame.to_um(points)))
    if len(outside):
        x, y = points[outside[0]]
        raise InputError(
            f"landmark '{names[outside[0]]}' does not lie on the slide",
            where=path,
            expected=f"pixels of {frame.label}, {frame.width} x {frame.height}",
            got=f"{x:g}, {y:g}",
        )


def _note_outliers(fit: HomographyFit, names: list[str], moving: Frame, note: Note) -> None:
    """Name the pairs that were left out."""
    import numpy as np

    for row in np.flatnonzero(fit.is_outlier):
        error_px = fit.errors_um[row] / float(np.mean(moving.mpp))
        note(
            f"warning: landmark '{names[row]}' is left out: the others put it {error_px:.0f} px off"
        )


def _check_perspective(transform: Projective, fixed: Frame, path: Path, note: Note) -> None:
    """Raise `InputError` for a horizon on the slide, note a perspective no section has."""
    import numpy as np

    from stainbridge.geometry.homography import crosses_horizon

    corners = fixed.corners_um
    if crosses_horizon(transform, corners):
        raise InputError(
            "the landmarks send a part of the slide to infinity",
            where=path,
            expected="a map of the whole slide",
            remedy="place them farther apart, or add a fifth",
        )
    # The area factor of a homography goes with the inverse cube of the depth.
    depth = np.abs(corners @ transform.matrix[2, :2] + transform.matrix[2, 2])
    ratio = float((depth.max() / depth.min()) ** 3)
    if ratio > LARGEST_AREA_RATIO:
        note(
            f"warning: {path}: the landmarks enlarge one corner of the slide {ratio:.1f} times as "
            "much as another; place them farther apart, or add a fifth"
        )
