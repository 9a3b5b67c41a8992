"""Cut patches of an aligned slide pair: read both pictures, measure them, write what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from stainbridge.compute import opencv_threads, parallel_stream
from stainbridge.errors import InputError, RegistrationError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.geometry.warp import sample_mask
from stainbridge.imaging.image import Image
from stainbridge.pairing.alignment import ErrorMap
from stainbridge.pairing.blocks import close_gaps
from stainbridge.pairing.config import PairingConfig, Thresholds
from stainbridge.pairing.folds import find_folds
from stainbridge.pairing.gaps import warp_moving
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.plan import Place
from stainbridge.pairing.scores import PatchScorer
from stainbridge.pairing.source import SlidePair
from stainbridge.pairing.write.assemble import name_thumb
from stainbridge.pairing.write.columns import name_picture
from stainbridge.pairing.write.ranking import select_shown
from stainbridge.pairing.write.thumbs import write_thumb
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.patch_manifest import FIXED_FOLDER, MOVING_FOLDER
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask
from stainbridge.whole import whole_file

#: Effort of the PNGs' compression, 0 to 9: more takes longer and hardly saves space.
PNG_LEVEL = 4
#: Longest side, in pixels, at which masks are seen through the alignment.
MASK_PX = 256


@dataclass(frozen=True, eq=False)
class CutPatch:
    """A patch with its two pictures."""

    patch: Patch
    """Where it comes from, how good it is, whether it is kept."""
    fixed: Image
    """The fixed slide's picture, (3, H, W)."""
    moving: Image
    """The moving slide's picture on the same frame."""


@dataclass(frozen=True, eq=False)
class PatchCutter:
    """Reads and measures patches of one aligned slide pair; calls are thread-safe."""

    pair: SlidePair
    """The pair, as its manifest names it."""
    fixed: Slide
    """The opened fixed slide."""
    moving: Slide
    """The moving slide, seen through the alignment."""
    transform: Transform
    """The alignment, moving from fixed, without the gaps between hard blocks."""
    status: str
    """Its verdict."""
    scorer: PatchScorer
    """What measures patches."""
    folds: tuple[Image, Image]
    """Where the fixed and the moving slide are folded, (1, h, w) each, not 0 there."""
    thresholds: Thresholds
    """What patches must meet."""
    masks: Masks = (None, None)
    """Where tissue may be used on the fixed and the moving slide."""
    error: ErrorMap | None = None
    """How sure the alignment is, where it tells."""

    @classmethod
    def open(
        cls,
        pair: SlidePair,
        fixed: Slide,
        moving: Slide,
        transform: Transform,
        status: str,
        config: PairingConfig,
        masks: Masks = (None, None),
        error: ErrorMap | None = None,
    ) -> PatchCutter:
        """Return what cuts patches of two opened slides that `transform` aligns.

        Raises `InputError` for slides that are not RGB, and where one shows no tissue.
        """
        for slide in (fixed, moving):
            if not slide.info.is_rgb:
                raise InputError(
                    "not an RGB slide",
                    where=slide.info.path,
                    expected="8-bit RGB",
                    got=f"{len(slide.info.channels)} channels, {np.dtype(slide.info.dtype)}",
                )
        scorer = PatchScorer.fit(fixed, moving, masks)
        folds = find_folds(fixed, scorer.fixed), find_folds(moving, scorer.moving)
        warped = warp_moving(moving, transform)
        whole = close_gaps(transform)
        return cls(
            pair, fixed, warped, whole, status, scorer, folds, config.thresholds, masks, error
        )

    def __call__(self, place: Place) -> CutPatch:
        """Read and measure one patch."""
        fixed = self.fixed.read(place.frame)
        moving = self.moving.read(place.frame)
        allowed = self._find_allowed(place.frame)
        if allowed is not None:
            fixed = replace(fixed, valid=fixed.valid & allowed[0])
            moving = replace(moving, valid=moving.valid & allowed[1])
        error_um = None if self.error is None else self.error.measure(place.frame)
        fold = max(float(mask.mean()) for mask in self._look_through(self.folds, place.frame))
        scores = self.scorer.score(fixed, moving, fold, error_um)
        centre_um = np.array([place.frame.centre_um])
        moving_px = self.transform.target.frame.to_px(self.transform(centre_um))[0]
        patch = Patch(
            name=name_patch(self.pair, place),
            pair=self.pair.id,
            patient=self.pair.patient,
            split=self.pair.split,
            label=self.pair.label,
            fixed=self.pair.fixed.as_posix(),
            moving=self.pair.moving.as_posix(),
            x_px=place.x_px,
            y_px=place.y_px,
            side_px=place.side_px,
            moving_x_px=float(moving_px[0]),
            moving_y_px=float(moving_px[1]),
            mpp=place.frame.mpp[0],
            calibrated=place.frame.calibrated,
            status=self.status,
            scores=scores,
            dropped_for=self.thresholds.find_unmet(scores),
        )
        return CutPatch(patch, fixed, moving)

    def _find_allowed(self, frame: Frame) -> tuple[Mask, Mask] | None:
        """Return where the masks allow tissue on a patch, (H, W) each; None without masks."""
        if self.masks == (None, None):
            return None
        size = (frame.width, frame.height)
        fixed, moving = (
            np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
            for mask in self._look_through(self.masks, frame)
        )
        return fixed, moving

    def _look_through(self, masks: Masks, frame: Frame) -> Iterator[Mask]:
        """Yield masks of both slides on a patch, coarsely; None is everywhere."""
        coarse = frame.fit(MASK_PX)
        stay = Affine(np.eye(3), frame.space, frame.space)
        for mask, transform in zip(masks, (stay, self.transform), strict=True):
            if mask is None:
                yield np.ones((coarse.height, coarse.width), bool)
            else:
                yield sample_mask(mask.pixels[0] != 0, mask.frame, transform, coarse)


def cut_patches(
    cutter: PatchCutter,
    places: Sequence[Place],
    out: Path,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> list[Patch]:
    """Cut all `places`, write what is kept into the set `out`, and return every patch in order.

    Pictures go to `HE/SPLIT` and `IHC/SPLIT`, thumbnails that a page may show to the pair's folder.
    A few patches are in memory at a time. Raises `RegistrationError` where a slide cannot be read,
    `InputError` where a file cannot be written.
    """

    def cut(place: Place) -> CutPatch:
        try:
            item = cutter(place)
        except InputError as error:
            raise RegistrationError(str(error)) from error
        if item.patch.is_kept:
            write_pictures(item, out)
        return item

    patches = []
    shown: list[Patch] = []
    with opencv_threads.one():
        stream: Iterator[CutPatch] = parallel_stream(cut, places, threads)
        for number, item in enumerate(stream, 1):
            patches.append(item.patch)
            shown = _update_thumbs(shown, item, out, cutter.thresholds)
            progress(f"cutting {cutter.pair.id}", number / len(places))
    return patches


def name_patch(pair: SlidePair, place: Place) -> str:
    """Return the file name of a patch without its ending, with BCI's label last."""
    label = f"_{pair.label}" if pair.label else ""
    return f"{pair.id}_{place.x_px}_{place.y_px}{label}"


def write_pictures(item: CutPatch, out: Path) -> None:
    """Write both pictures of a patch as PNG, the same bytes for the same pixels."""
    for image, folder in ((item.fixed, FIXED_FOLDER), (item.moving, MOVING_FOLDER)):
        path = out / name_picture(item.patch, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            pixels = np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
            PIL.Image.fromarray(pixels).save(temporary, "PNG", compress_level=PNG_LEVEL)


def _update_thumbs(
    shown: list[Patch], item: CutPatch, out: Path, thresholds: Thresholds
) -> list[Patch]:
    """Return the patches whose thumbnails a page may show, after one more patch.

    What is shown of a set is within what was shown of its parts, so that a bounded number of
    thumbnails lies there at any time.
    """
    candidates = [*shown, item.patch]
    names = select_shown(candidates, thresholds)
    if item.patch.name in names:
        write_thumb(item.fixed, item.moving, name_thumb(out, item.patch))
    for patch in shown:
        if patch.name not in names:
            name_thumb(out, patch).unlink(missing_ok=True)
    return [patch for patch in candidates if patch.name in names]
