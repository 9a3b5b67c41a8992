"""One case opened: two slides as they lie on each other, and what is known of the right answer."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine
from stainbridge.imaging.image import Image
from stainbridge.imaging.labels import take_labels
from stainbridge.metrics.segmentations import list_labels
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.slide import Slide

#: Pixels of a mask or of labels: the outlines of larger ones take more than a few GB of memory.
MOST_LABEL_PIXELS = 8192 * 8192
#: Pixels along the longer side of the slides that enter the digest of a case.
DIGEST_PX = 512


@dataclass(frozen=True, eq=False)
class SliceScene:
    """The opened slides of a case, with masks, labels and landmarks where there are any."""

    fixed: Slide
    """The fixed slide."""
    moving: Slide
    """The moving slide."""
    masks: Masks
    """(1, h, w) of both slides, 1 on tissue; both None where one is not known."""
    labels: tuple[Image, Image] | None
    """(1, h, w) integers of both slides, 0 where there is no class."""
    landmarks: tuple[Landmarks, Landmarks] | None
    """Corresponding landmarks of both slides."""

    @property
    def placement(self) -> Affine:
        """The moving slide as given; see `place_unregistered`."""
        return place_unregistered(self.fixed.frame.space, self.moving.frame.space)

    def digest(self) -> str:
        """Return what tells these pictures and landmarks from others, 16 hexadecimal digits."""
        sha = hashlib.sha256()
        for slide in (self.fixed, self.moving):
            sha.update(repr((slide.frame.width, slide.frame.height, slide.frame.mpp)).encode())
            sha.update(slide.read(slide.frame.fit(DIGEST_PX)).pixels.tobytes())
        for image in (*self.masks, *(self.labels or ())):
            sha.update(b"" if image is None else image.pixels.tobytes())
        for points in self.landmarks or ():
            sha.update(points.points_px.round(3).tobytes())
        return sha.hexdigest()[:16]


def open_scene(case: Case, opened: ExitStack) -> SliceScene:
    """Open a case; `opened` closes its slides.

    Raises `InputError` for a case with nothing to score, labels or a mask of one slide only, of
    another shape or empty, and labels that are no whole numbers.
    """
    fixed = opened.enter_context(case.open_fixed())
    moving = opened.enter_context(case.open_moving())
    labels = _read_both(case, "labels", fixed, moving)
    masks = _read_both(case, "mask", fixed, moving)
    landmarks = None
    if case.landmarks is not None:
        names = tuple(map(str, range(len(case.landmarks[0]))))
        landmarks = (
            Landmarks(case.landmarks[0], names, fixed.frame),
            Landmarks(case.landmarks[1], names, moving.frame),
        )
    if labels is None and masks is None and landmarks is None:
        raise InputError(
            "nothing to score", where=case.id, expected="labels, masks or landmarks of both slides"
        )
    only_inside = (None, None) if masks is None else (_binarise(masks[0]), _binarise(masks[1]))
    return SliceScene(fixed, moving, only_inside, labels, landmarks)


def _read_both(case: Case, kind: str, fixed: Slide, moving: Slide) -> tuple[Image, Image] | None:
    """Return the masks or labels of both slides; None where there are none."""
    openers: tuple[OpenSlideFunction | None, ...] = {
        "labels": (case.open_fixed_labels, case.open_moving_labels),
        "mask": (case.open_fixed_mask, case.open_moving_mask),
    }[kind]
    if openers[0] is None and openers[1] is None:
        return None
    if openers[0] is None or openers[1] is None:
        raise InputError(f"{kind} of one slide only", where=case.id, expected="both or neither")
    return _read_whole(openers[0], fixed.frame), _read_whole(openers[1], moving.frame)


def _read_whole(open_picture: OpenSlideFunction, slide: Frame) -> Image:
    """Return a label picture, (1, h, w), that covers a slide at any resolution."""
    with open_picture() as picture:
        _check_shape(picture, slide)
        image = picture.read(picture.frame)
        where = picture.info.path
    pixels = take_labels(image.pixels, where)
    list_labels(pixels, where)
    height, width = pixels.shape[1:]
    mpp = (slide.size_um[0] / width, slide.size_um[1] / height)
    frame = replace(slide, height=height, width=width, mpp=mpp)
    return Image(pixels, frame, image.valid)


def _check_shape(picture: Slide, slide: Frame) -> None:
    size = picture.frame
    # A side of a picture made at a lower resolution is rounded by up to a pixel.
    if abs(size.width * slide.height - size.height * slide.width) > max(slide.height, slide.width):
        raise InputError(
            "the labels do not have the slide's shape",
            where=picture.info.path,
            expected=f"{slide.width} x {slide.height} or the same at another resolution",
            got=f"{size.width} x {size.height}",
        )
    if size.width * size.height > MOST_LABEL_PIXELS:
        raise InputError(
            "the labels are too large to compare",
            where=picture.info.path,
            expected=f"at most {MOST_LABEL_PIXELS} pixels",
            got=f"{size.width} x {size.height}",
        )


def _binarise(image: Image) -> Image:
    return replace(image, pixels=(image.pixels != 0).astype(np.uint8))
