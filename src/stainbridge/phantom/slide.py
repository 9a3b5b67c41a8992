"""A generated section on glass, rendered as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.phantom.artefacts import Artefact
from stainbridge.phantom.deformation import PLAIN, DeformationConfig, gap_um, tissue_from_slide
from stainbridge.phantom.dye_slide import DyeSlide
from stainbridge.phantom.randomness import key
from stainbridge.phantom.section import Amounts, Section
from stainbridge.phantom.stain import REFERENCE, Laboratory, colours, transmit
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Mask, Points

_GRAIN_PX = 509


@dataclass(frozen=True, eq=False)
class PhantomSlide:
    """`section` lying on a slide as `deformation` says, seen by `laboratory`'s scanner; a `Slide`.

    Any part can be read at any pixel size, also finer than `frame`; a read of a part equals the part of a whole read at
    the same pixel size and pixel grid. Deterministic: the same fields and `seed` give the same pixels. Reads are
    thread-safe and need about 60 bytes a pixel read plus 75 MB of kept blocks.

    Raises `InputError` when the frame does not start at (0, 0).
    """

    section: Section
    frame: Frame
    deformation: DeformationConfig = PLAIN
    laboratory: Laboratory = REFERENCE
    artefacts: tuple[Artefact, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.frame.origin_um != (0.0, 0.0):
            raise InputError("a slide starts at (0, 0)", where=self.frame.name, got=self.frame.origin_um)

    @cached_property
    def pull(self) -> Transform:
        """Slide points to the tissue points seen there, in µm; its inverse is exact beside the tear."""
        return tissue_from_slide(self.deformation, self._dyes.frame, self.frame, self.seed)

    @cached_property
    def _dyes(self) -> DyeSlide:
        return DyeSlide(self.section)

    @cached_property
    def _on_glass(self) -> WarpedSlide:
        return WarpedSlide(self._dyes, self.pull, self.frame)

    @property
    def info(self) -> SlideInfo:
        """An RGB slide that comes from no file."""
        name = f"phantom {self.section.tissue.seed} {self.section.stain.name}"
        return SlideInfo(name, "phantom", "generated", None, np.uint8, tuple(Channel(c) for c in "RGB"))

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The full resolution and its halves down to about 512 pixels; every other pixel size is as good."""
        levels = [self.frame]
        while max(levels[-1].width, levels[-1].height) > 1024:
            levels.append(
                self.frame.at_mpp((self.frame.mpp[0] * 2 ** len(levels), self.frame.mpp[1] * 2 ** len(levels)))
            )
        return tuple(levels)

    @property
    def stain(self) -> str:
        """The stain's name."""
        return self.section.stain.name

    def read(self, frame: Frame) -> Image:
        """The slide sampled on `frame`: (3, H, W) uint8. Outside the slide: white and not valid."""
        amounts = self._amounts(frame)
        light = transmit(amounts, colours(self.section.stain, self.laboratory))
        light *= np.array(self.laboratory.glass, np.float32)
        for artefact in self.artefacts:
            artefact.apply(light, frame, self.frame)
        light *= 255
        light += self._grain(frame)
        pixels = np.clip(np.rint(light), 0, 255).astype(np.uint8)
        valid = _inside(self.frame, frame)
        pixels[~valid] = 255
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    def tissue_um(self, points_um: Points) -> npt.NDArray[np.floating]:
        """Depth below the tissue's outline at slide points (N, 2), in µm, to about 1 % of the tissue's size.

        Negative on glass, also in the tear's gap.
        """
        depth = self.section.depth_um(self.pull(points_um))
        return np.asarray(np.minimum(depth, self.gap_um(points_um)))

    def gap_um(self, points_um: Points) -> npt.NDArray[np.floating]:
        """Signed distance of slide points (N, 2) to the tear's rim in µm, negative in its gap."""
        return gap_um(self.deformation, points_um)

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _amounts(self, frame: Frame) -> Amounts:
        """Dye amounts (H, W, 3) on a frame of the slide."""
        amounts = np.array(np.moveaxis(self._on_glass.read(frame).pixels, 0, -1), np.float32)
        self._cut_gap(amounts, frame)
        return amounts

    def _cut_gap(self, amounts: Amounts, frame: Frame) -> None:
        """Remove the dye in the tear's gap."""
        cut = self.deformation.tear
        if cut is None:
            return
        reach, far = 3 * cut.width_um, 4 * cut.length_um
        along, across = np.array([0.0, far, far, 0.0]), np.array([-reach, -reach, reach, reach])
        corners = frame.to_px(cut.place(along, across))
        low = np.clip(np.floor(corners.min(axis=0)), 0, (frame.width, frame.height)).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)), low, (frame.width, frame.height)).astype(int)
        if (high == low).any():
            return
        part = frame.crop(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
        distance = cut.gap_um(part.centres_um()).reshape(part.height, part.width)
        kept = np.clip(0.5 + distance / max(frame.mpp[0], 0.8), 0, 1).astype(np.float32)
        amounts[low[1] : high[1], low[0] : high[0]] *= kept[..., None]

    def _grain(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Sensor noise (H, W, 3), fixed to the pixel grid of this pixel size."""
        rng = np.random.default_rng(key(self.seed, "grain"))
        tile = (self.laboratory.noise * rng.standard_normal((_GRAIN_PX, _GRAIN_PX, 3))).astype(np.float32)
        first = np.rint(np.array(frame.origin_um) / frame.mpp).astype(int)
        rows = (first[1] + np.arange(frame.height)) % _GRAIN_PX
        columns = (first[0] + np.arange(frame.width)) % _GRAIN_PX
        return np.asarray(tile[rows][:, columns])


def _inside(slide: Frame, frame: Frame) -> Mask:
    """Which pixel centres of `frame` lie on the slide, (H, W)."""
    x = frame.origin_um[0] + (np.arange(frame.width) + 0.5) * frame.mpp[0]
    y = frame.origin_um[1] + (np.arange(frame.height) + 0.5) * frame.mpp[1]
    width_um, height_um = slide.size_um
    return np.asarray(((y >= 0) & (y < height_um))[:, None] & ((x >= 0) & (x < width_um))[None, :])
