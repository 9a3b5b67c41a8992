"""Transforms in ITK's conventions: its units, its centre-of-pixel origin, its order of composition.

Each slide's ITK space is what ITK's own readers give an image with origin (0, 0). Its unit is the
millimetre where the pixel size is known, and the full-resolution pixel where it is not. Its origin
is the *centre* of the top-left full-resolution pixel. So `itk = (µm - mpp / 2) / unit`, with unit
1000 µm or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform, split_chain
from stainbridge.types import Field, Matrix

if TYPE_CHECKING:
    import SimpleITK

#: What ITK has no type for (a homography, the inverse of a field) is sampled on a grid with at most
#: this many pixels along its longer side.
SAMPLING_PX = 1024
#: A map that moves no corner of the slide by this many pixels is the identity.
IDENTITY_TOLERANCE_PX = 1e-6

#: A matrix in µm, or displacements in µm on a grid.
Elementary: TypeAlias = "Matrix | SampledField"


@dataclass(frozen=True, eq=False)
class SampledField:
    """Displacements on a grid, not yet between two spaces."""

    displacement: Field
    """(2, H, W) in µm."""
    grid: Frame
    """Where the samples lie."""


def itk_unit_um(frame: Frame) -> float:
    """Return the micrometres in one ITK unit: 1000 (mm), or 1 (a pixel) when uncalibrated."""
    return 1000.0 if frame.calibrated else 1.0


def itk_spacing(frame: Frame) -> tuple[float, float]:
    """Return the spacing (x, y) to give the slide's full-resolution image in ITK."""
    return frame.mpp[0] / itk_unit_um(frame), frame.mpp[1] / itk_unit_um(frame)


def itk_from_um(frame: Frame) -> Matrix:
    """Return the (3, 3) matrix from µm of a slide to ITK's physical points.

    `frame` is the slide's full-resolution frame.
    """
    unit = itk_unit_um(frame)
    return np.array(
        [
            [1 / unit, 0, -frame.mpp[0] / 2 / unit],
            [0, 1 / unit, -frame.mpp[1] / 2 / unit],
            [0, 0, 1],
        ]
    )


def to_itk(transform: Transform, dimension: int = 2) -> SimpleITK.CompositeTransform:
    """Convert `transform` to an ITK composite of affine and displacement-field members.

    The member that is applied first is last in ITK's list. Affine maps and fields are exact; other
    maps are sampled as fields on the extent of their source. ITK takes a field to be zero outside
    its grid, so fields are continued to cover the extent of their source. With `dimension` 3 the
    plane is the slice z = 0.
    """
    import SimpleITK

    fixed = itk_from_um(transform.source.frame)
    moving = itk_from_um(transform.target.frame)
    members = split_chain(transform)
    applied: list[SimpleITK.Transform] = []
    for position, member in enumerate(members):
        out = moving if position == len(members) - 1 else fixed
        if isinstance(member, Affine):
            applied.append(_itk_affine(out @ member.matrix @ np.linalg.inv(fixed), dimension))
            continue
        field = (
            member
            if isinstance(member, DisplacementField)
            else member.to_field(member.source.frame.fit(SAMPLING_PX))
        )
        applied.append(_itk_field(_extend_to_source(field), transform.source.frame, dimension))
        if not np.array_equal(out, fixed):
            applied.append(_itk_affine(out @ np.linalg.inv(fixed), dimension))
    return SimpleITK.CompositeTransform(applied[::-1])


def from_itk(transform: SimpleITK.Transform, source: Space, target: Space) -> Transform:
    """Convert an ITK transform between the ITK spaces of two slides to one in µm.

    Takes every linear ITK transform, displacement fields, and composites of those; 3-D ones when
    they keep the plane. Raises `InputError` for others.
    """
    import SimpleITK

    fixed = itk_from_um(source.frame)
    moving = itk_from_um(target.frame)
    applied = _flatten(transform)
    elementary: list[Elementary] = []
    for position, member in enumerate(applied):
        out = moving if position == len(applied) - 1 else fixed
        if isinstance(member, SimpleITK.DisplacementFieldTransform):
            elementary.append(_field_in_um(member.GetDisplacementField(), source.frame))
            elementary.append(np.linalg.inv(out) @ fixed)
        elif member.IsLinear():
            elementary.append(np.linalg.inv(out) @ _linear_matrix(member) @ fixed)
        else:
            raise InputError(
                f"cannot use an ITK {member.GetName()}",
                expected="affine or displacement-field members",
                remedy="turn it into a field with SimpleITK.TransformToDisplacementField",
            )
    return _join(elementary, source, target)


def field_image(transform: Transform) -> SimpleITK.Image:
    """Sample the whole of `transform` as one vector image of displacements in ITK units.

    It lies on the grid of the first member where that is a field, else on the extent of the source.
    """
    first = split_chain(transform)[0]
    grid = (
        _extend_to_source(first).grid
        if isinstance(first, DisplacementField)
        else transform.source.frame.fit(SAMPLING_PX)
    )
    centres = grid.centres_um()
    fixed = itk_from_um(transform.source.frame)
    moving = itk_from_um(transform.target.frame)
    moved = transform(centres) @ moving[:2, :2].T + moving[:2, 2]
    shift = moved - (centres @ fixed[:2, :2].T + fixed[:2, 2])
    return _vector_image(shift.reshape(grid.height, grid.width, 2), grid, transform.source.frame, 2)


def from_field_image(image: SimpleITK.Image, source: Space, target: Space) -> Transform:
    """Convert a vector image of displacements in ITK units to a transform.

    Raises `InputError` when it is not one.
    """
    field = _field_in_um(image, source.frame)
    target_from_source = np.linalg.inv(itk_from_um(target.frame)) @ itk_from_um(source.frame)
    return _join([field, target_from_source], source, target)


def _join(elementary: Sequence[Elementary], source: Space, target: Space) -> Transform:
    """Apply the elementary maps one after the other, without those that change nothing."""
    effective = [
        item
        for item in elementary
        if isinstance(item, SampledField) or not _is_identity(item, source.frame)
    ] or [np.eye(3)]
    members: list[Transform] = []
    for position, item in enumerate(effective):
        end = target if position == len(effective) - 1 else source
        if isinstance(item, SampledField):
            members.append(DisplacementField(item.displacement, item.grid, source, end))
        else:
            members.append(Affine(item, source, end))
    return members[0] if len(members) == 1 else Chain(tuple(members))


def _is_identity(matrix: Matrix, frame: Frame) -> bool:
    """Whether the map moves no point of the slide noticeably."""
    corners = frame.corners_um
    moved = corners @ matrix[:2, :2].T + matrix[:2, 2]
    return bool(np.abs((moved - corners) / frame.mpp).max() < IDENTITY_TOLERANCE_PX)


def _itk_affine(matrix: Matrix, dimension: int) -> SimpleITK.AffineTransform:
    import SimpleITK

    linear = np.eye(dimension)
    linear[:2, :2] = matrix[:2, :2]
    shift = np.zeros(dimension)
    shift[:2] = matrix[:2, 2]
    return SimpleITK.AffineTransform(linear.ravel().tolist(), shift.tolist())


def _itk_field(
    field: DisplacementField, fixed: Frame, dimension: int
) -> SimpleITK.DisplacementFieldTransform:
    import SimpleITK

    vectors = np.moveaxis(field.displacement, 0, -1).astype(np.float64) / itk_unit_um(fixed)
    return SimpleITK.DisplacementFieldTransform(
        _vector_image(vectors, field.grid, fixed, dimension)
    )


def _vector_image(
    vectors: np.ndarray[Any, Any], grid: Frame, fixed: Frame, dimension: int
) -> SimpleITK.Image:
    """Convert (H, W, 2) displacements in ITK units to an image of `dimension` axes and components.

    They lie on `grid`, in the space of the fixed slide.
    """
    import SimpleITK

    unit = itk_unit_um(fixed)
    centre_um = [o + m / 2 for o, m in zip(grid.origin_um, grid.mpp, strict=True)]
    origin = [(c - m / 2) / unit for c, m in zip(centre_um, fixed.mpp, strict=True)]
    spacing = [m / unit for m in grid.mpp]
    if dimension == 3:
        vectors = np.pad(vectors, ((0, 0), (0, 0), (0, 1)))[None]
        origin.append(0.0)
        spacing.append(1.0)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    return image


def _field_in_um(image: SimpleITK.Image, fixed: Frame) -> SampledField:
    """Convert a vector image to in-plane displacements in µm, on a grid of the fixed slide."""
    import SimpleITK

    size = image.GetSize()
    dimension = image.GetDimension()
    components = image.GetNumberOfComponentsPerPixel()
    if components != dimension or dimension not in (2, 3) or (*size, 1)[2] != 1:
        raise InputError(
            "not a planar displacement field",
            expected="2 components on a 2-D grid",
            got=f"{components} components on {size}",
        )
    if not np.allclose(image.GetDirection(), np.eye(dimension).ravel()):
        raise InputError(
            "a displacement field on a turned grid",
            expected="identity direction",
            got=image.GetDirection(),
        )
    unit = itk_unit_um(fixed)
    mpp = (image.GetSpacing()[0] * unit, image.GetSpacing()[1] * unit)
    corner = [
        o * unit + f / 2 - m / 2 for o, f, m in zip(image.GetOrigin(), fixed.mpp, mpp, strict=False)
    ]
    grid = replace(fixed, width=size[0], height=size[1], mpp=mpp, origin_um=(corner[0], corner[1]))
    vectors = SimpleITK.GetArrayFromImage(image).reshape(size[1], size[0], dimension)[..., :2]
    return SampledField(np.moveaxis(vectors * unit, -1, 0).astype(np.float32), grid)


def _extend_to_source(field: DisplacementField) -> DisplacementField:
    """Continue the grid by whole cells until it covers the extent of the source."""
    grid = field.grid
    frame = field.source.frame
    low = (np.array(grid.origin_um) - frame.origin_um) / grid.mpp
    high = (np.array(frame.origin_um) + frame.size_um - grid.origin_um - grid.size_um) / grid.mpp
    (left, top), (right, bottom) = (
        np.maximum(0, np.ceil(side - 1e-6)).astype(int).tolist() for side in (low, high)
    )
    if not any((left, top, right, bottom)):
        return field
    cells = np.pad(field.displacement, ((0, 0), (top, bottom), (left, right)), mode="edge")
    wider = grid.crop(-left, -top, grid.width + left + right, grid.height + top + bottom)
    return DisplacementField(cells, wider, field.source, field.target)


def _flatten(transform: SimpleITK.Transform) -> list[SimpleITK.Transform]:
    """Return the members of nested composites in the order they are applied to a point."""
    import SimpleITK

    concrete = transform.Downcast()
    if not isinstance(concrete, SimpleITK.CompositeTransform):
        return [concrete]
    count = concrete.GetNumberOfTransforms()
    return [leaf for n in reversed(range(count)) for leaf in _flatten(concrete.GetNthTransform(n))]


def _linear_matrix(transform: SimpleITK.Transform) -> Matrix:
    """Return the in-plane (3, 3) matrix of any linear ITK transform."""
    dimension = transform.GetDimension()
    origin = np.array(transform.TransformPoint([0.0] * dimension))
    columns = np.stack(
        [transform.TransformPoint(axis.tolist()) - origin for axis in np.eye(dimension)], axis=1
    )
    if dimension == 3 and not np.allclose(columns[:2, 2], 0, atol=1e-9):
        raise InputError(
            "a 3-D transform that leaves the plane",
            expected="a 2-D transform",
            got=columns.tolist(),
        )
    matrix = np.eye(3)
    matrix[:2, :2] = columns[:2, :2]
    matrix[:2, 2] = origin[:2]
    return matrix
