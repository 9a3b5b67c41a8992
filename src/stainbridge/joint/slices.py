"""Paired slices of a stack, held in memory: what Synth-by-Reg trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.imaging.image import Image
from stainbridge.imaging.labels import take_labels
from stainbridge.joint.grey import SlideGrey
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

#: Sides of the pictures are multiples of this, in pixels, so that generators can halve them.
SIZE_STEP = 32
#: Most classes of tissue that labels may have.
MAX_CLASSES = 32


@dataclass(frozen=True, eq=False)
class Slices:
    """One modality's slices, of one size."""

    pictures: Tensor
    """Grey values, (S, 1, H, W) in 0 … 1, 0 outside the tissue."""
    masks: Tensor
    """How much each pixel is tissue, (S, 1, H, W) in 0 … 1."""
    labels: Tensor | None
    """Share of each class of tissue at each pixel, (S, K, H, W); None where there are none."""


@dataclass(frozen=True, eq=False)
class PairedSlices:
    """Slices of two modalities, in the order of the stack, on one grid."""

    names: tuple[str, ...]
    """The slices' names."""
    fixed: Slices
    """The modality that stays in place: the target of the synthesis."""
    moving: Slices
    """The modality that is brought onto it: the source of the synthesis."""
    mpp: float
    """Pixel size in µm, or in full-resolution pixels where the files have no pixel size."""
    positions: tuple[int, ...]
    """Where in the stack each slice is, counted from 0."""
    calibrated: bool = True
    """Whether `mpp` is in µm."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> int:
        """Number of classes; 0 where either modality has no labels."""
        if self.fixed.labels is None or self.moving.labels is None:
            return 0
        return int(self.fixed.labels.shape[1])

    @property
    def tissue_px(self) -> int:
        """Longer side of the tissue of the fixed slices in pixels, the median over the stack."""
        inside = self.fixed.masks[:, 0] > 0.5
        sides = torch.stack([inside.any(axis).sum(1) for axis in (1, 2)])
        return int(sides.amax(0).median())

    def select(self, names: Sequence[str]) -> PairedSlices:
        """Return the slices of these names, in the order of the stack.

        Raises `InputError` for a name that no slice has, and for no names.
        """
        unknown = sorted(set(names) - set(self.names))
        if unknown or not names:
            raise InputError(
                "no such slices", expected="names of slices", got=", ".join(unknown) or None
            )
        chosen = [index for index, name in enumerate(self.names) if name in set(names)]
        return PairedSlices(
            tuple(self.names[index] for index in chosen),
            _select(self.fixed, chosen),
            _select(self.moving, chosen),
            self.mpp,
            tuple(self.positions[index] for index in chosen),
            self.calibrated,
        )


def read_slices(cases: Sequence[Case], mpp: float | None, longest_px: int) -> PairedSlices:
    """Read all slices at `mpp` µm per pixel, the moving ones where they lie in their files.

    Without `mpp` the largest slice's longer side gets `longest_px` pixels. Smaller slices have
    black margins right and below. Raises `InputError` for no cases, for slices without tissue, and
    for labels that are no whole numbers.
    """
    if not cases:
        raise InputError("no slices to train on", expected="at least one pair of slices")
    frames = [_read_frame(case) for case in cases]
    if mpp is None:
        longest_um = max(max(frame.size_um) for frame in frames)
        mpp = max(longest_um / longest_px, *(frame.mpp[0] for frame in frames))
    grids = [frame.at_mpp(mpp) for frame in frames]
    height, width = (max(getattr(grid, side) for grid in grids) for side in ("height", "width"))
    size = (_round_up(height), _round_up(width))
    read = [_read_pair(case, grid, size) for case, grid in zip(cases, grids, strict=True)]
    highest = max((max(pair.classes) for pair in read), default=0)
    return PairedSlices(
        tuple(case.id for case in cases),
        _stack([pair.fixed for pair in read], highest),
        _stack([pair.moving for pair in read], highest),
        mpp,
        tuple(range(len(cases))),
        all(frame.calibrated for frame in frames),
    )


def _select(slices: Slices, indices: Sequence[int]) -> Slices:
    chosen = torch.as_tensor(indices)
    labels = None if slices.labels is None else slices.labels[chosen]
    return Slices(slices.pictures[chosen], slices.masks[chosen], labels)


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice: picture and mask (1, H, W), and labels (H, W) of whole numbers."""

    picture: Tensor
    mask: Tensor
    labels: Tensor | None


@dataclass(frozen=True, eq=False)
class _Pair:
    fixed: _Slice
    moving: _Slice

    @property
    def classes(self) -> tuple[int, int]:
        sides = (self.fixed.labels, self.moving.labels)
        fixed, moving = (0 if labels is None else int(labels.max()) for labels in sides)
        return fixed, moving


def _read_frame(case: Case) -> Frame:
    with _open(case.open_fixed) as fixed:
        assert fixed is not None
        return fixed.frame


def _read_pair(case: Case, grid: Frame, size: tuple[int, int]) -> _Pair:
    with _open(case.open_fixed) as fixed, _open(case.open_moving) as moving:
        assert fixed is not None
        assert moving is not None
        space = fixed.frame.space
        identity = Affine(np.eye(3), space, space)
        placement = place_unregistered(space, moving.frame.space)
        return _Pair(
            _read_side(fixed, case.open_fixed_mask, case.open_fixed_labels, identity, grid, size),
            _read_side(
                moving, case.open_moving_mask, case.open_moving_labels, placement, grid, size
            ),
        )


def _read_side(
    slide: Slide,
    open_mask: OpenSlideFunction | None,
    open_labels: OpenSlideFunction | None,
    transform: Transform,
    grid: Frame,
    size: tuple[int, int],
) -> _Slice:
    with _open(open_mask) as mask_slide, _open(open_labels) as label_slide:
        mask = None if mask_slide is None else _read_mask(mask_slide, slide)
        grey = SlideGrey.fit(slide, mask)
        picture, inside = grey.read(transform, grid)
        labels = None if label_slide is None else _read_labels(label_slide, slide, transform, grid)
    planes = [_pad(torch.from_numpy(plane)[None], size) for plane in (picture, inside)]
    return _Slice(planes[0], planes[1], None if labels is None else _pad(labels, size))


def _read_mask(mask: Slide, slide: Slide) -> Image:
    """Return a whole mask on its slide. Raises `InputError` for another size than the slide's."""
    _check_size(mask, slide)
    image = mask.read(mask.frame)
    if not image.pixels.any():
        raise InputError(
            "the mask is empty", where=mask.info.path, expected="pixels that are not 0"
        )
    return Image(image.pixels, slide.frame, image.valid)


def _read_labels(labels: Slide, slide: Slide, transform: Transform, grid: Frame) -> Tensor:
    """Return labels (H, W) of whole numbers on `grid`."""
    _check_size(labels, slide)
    image = WarpedSlide(labels, _to_space(transform, labels), grid, interpolation="nearest").read(
        grid
    )
    pixels = take_labels(image.pixels, labels.info.path)[0]
    values = np.where(image.valid, pixels, 0).astype(np.int64)
    if values.max() > MAX_CLASSES:
        raise InputError(
            "too many classes for labels",
            where=labels.info.path,
            expected=f"whole numbers up to {MAX_CLASSES}",
            got=int(values.max()),
        )
    return torch.from_numpy(values)


def _to_space(transform: Transform, labels: Slide) -> Affine:
    """Return an affine transform that ends in the space of the labels, which lie on the slide."""
    assert isinstance(transform, Affine)
    return Affine(transform.matrix, transform.source, labels.frame.space)


def _check_size(picture: Slide, slide: Slide) -> None:
    expected = (slide.frame.height, slide.frame.width)
    got = (picture.frame.height, picture.frame.width)
    if got != expected:
        raise InputError(
            "mask or labels do not have the size of their slice",
            where=picture.info.path,
            expected=expected,
            got=got,
        )


def _round_up(pixels: int) -> int:
    return -(-pixels // SIZE_STEP) * SIZE_STEP


def _pad(plane: Tensor, size: tuple[int, int]) -> Tensor:
    return F.pad(plane, (0, size[1] - plane.shape[-1], 0, size[0] - plane.shape[-2]))


def _stack(slices: Sequence[_Slice], classes: int) -> Slices:
    labels = [item.labels for item in slices if item.labels is not None]
    encoded = None
    if classes and len(labels) == len(slices):
        one_hot = F.one_hot(torch.stack(labels), classes + 1)[..., 1:]
        encoded = one_hot.movedim(-1, 1).to(torch.uint8)
    return Slices(
        torch.stack([item.picture for item in slices]),
        torch.stack([item.mask for item in slices]),
        encoded,
    )


@contextmanager
def _open(open_slide: OpenSlideFunction | None) -> Iterator[Slide | None]:
    if open_slide is None:
        yield None
        return
    with open_slide() as slide:
        yield slide
