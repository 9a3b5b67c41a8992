"""Pictures with masks to train on, each on a square canvas as registration sees a section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.transform import Affine
from stainbridge.imaging.labels import take_labels
from stainbridge.joint.grey import SlideGrey
from stainbridge.joint.sar.config import SarGeneratedConfig
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.sections.views import MARGIN_SHARE, frame_tissue
from stainbridge.slides.open_mask import open_mask
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Plane

#: Percentile of the values that becomes 1, where a file has more than eight bits.
FULL_PERCENTILE = 99.5


class MaskedPicture(NamedTuple):
    """A picture and its mask on a canvas, (H, W) float32 in 0 … 1 each."""

    picture: Plane
    """Grey values; 0 on the margins."""
    mask: Plane | None
    """How much each pixel is inside the mask; None where there is none."""


class MaskedPictures(Protocol):
    """Pictures by number. Raises `InputError` for what cannot be trained on."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> MaskedPicture: ...


@dataclass(frozen=True)
class PictureFiles:
    """Files of pictures and of their masks, which are not 0 inside."""

    pictures: tuple[Path, ...]
    """The pictures: grey or RGB."""
    masks: tuple[Path, ...] | None
    """Their masks or labels; None: no segmentation."""
    size_px: int
    """Side of the canvas, in pixels."""

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> MaskedPicture:
        """Read a picture and its mask.

        Raises `InputError` for a file that cannot be read, a picture of one value or with values
        that are no numbers, and a mask that is empty, has another size or no whole numbers.
        """
        grey = _read_grey(self.pictures[number])
        picture = _place_on_canvas(grey, self.size_px, cv2.INTER_AREA)
        if self.masks is None:
            return MaskedPicture(picture, None)
        mask = _read_mask(self.masks[number], grey.shape)
        return MaskedPicture(picture, _place_on_canvas(mask, self.size_px, cv2.INTER_AREA))

    def check(self) -> None:
        """Read everything once, so that bad files are found before training begins."""
        for number in range(len(self)):
            self[number]


@dataclass(frozen=True)
class GeneratedPictures:
    """Generated slides and the mask of their tissue, drawn when first asked for."""

    config: SarGeneratedConfig
    """What is generated."""
    size_px: int
    """Side of the canvas, in pixels."""
    seed: int
    """Another seed gives other slides."""

    def __len__(self) -> int:
        return self.config.slides

    def __getitem__(self, number: int) -> MaskedPicture:
        """Draw a slide, or return it again."""
        if number not in self._cache:
            self._cache[number] = self._draw(number)
        return self._cache[number]

    @cached_property
    def _cache(self) -> dict[int, MaskedPicture]:
        return {}

    def _draw(self, number: int) -> MaskedPicture:
        rng = np.random.default_rng([self.seed, number])
        slide = generate_pair(
            seed=int(rng.integers(2**31)),
            size_px=self.config.slide_px,
            mpp=self.config.mpp,
            difficulty="easy",
            landmarks=0,
        ).fixed
        grey = SlideGrey.fit(slide)
        view = frame_tissue(grey.section, self.size_px, square=True)
        view = view.crop(0, 0, self.size_px, self.size_px)
        identity = Affine(np.eye(3), slide.frame.space, slide.frame.space)
        picture, _ = grey.read(identity, view)
        classes = WarpedSlide(slide.classes, identity, view, interpolation="nearest").read(view)
        return MaskedPicture(picture, (classes.pixels[0] > 0).astype(np.float32))


def _read_grey(path: Path) -> Plane:
    """Return grey values (H, W) in 0 … 1."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        kind = InputError if path.exists() else MissingFileError
        raise kind("cannot be read as a picture", where=path)
    grey = stored.astype(np.float32)
    if grey.ndim == 3:
        grey = grey[..., :3].mean(2)
    if not np.isfinite(grey).all():
        raise InputError("values that are no numbers", where=path, expected="finite grey values")
    low, high = float(grey.min()), float(grey.max())
    if not low < high:
        raise InputError("nothing but one value", where=path, expected="a picture", got=low)
    is_byte = stored.dtype == np.uint8
    full = 255.0 if is_byte else float(np.percentile(grey, FULL_PERCENTILE))
    return np.asarray((grey / max(full, 1e-6)).clip(0, 1), np.float32)


def _read_mask(path: Path, size: tuple[int, ...]) -> Plane:
    """Return 1 inside the mask and 0 outside, (H, W)."""
    with open_mask(path) as slide:
        stored = take_labels(slide.read(slide.frame).pixels, path)[0]
    if stored.shape != size:
        raise InputError(
            "mask or labels do not have the size of their picture",
            where=path,
            expected=size,
            got=stored.shape,
        )
    if not stored.any():
        raise InputError("the mask is empty", where=path, expected="pixels that are not 0")
    return np.asarray(stored != 0, np.float32)


def _place_on_canvas(plane: Plane, size_px: int, interpolation: int) -> Plane:
    """Return the plane in the middle of a square, with the margins that a section's view has."""
    factor = size_px / (1 + 2 * MARGIN_SHARE) / max(plane.shape)
    height, width = (max(1, round(side * factor)) for side in plane.shape)
    if factor > 1:
        interpolation = cv2.INTER_LINEAR
    canvas = np.zeros((size_px, size_px), np.float32)
    top, left = (size_px - height) // 2, (size_px - width) // 2
    resized = cv2.resize(plane, (width, height), interpolation=interpolation)
    canvas[top : top + height, left : left + width] = resized
    return canvas
