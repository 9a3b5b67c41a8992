"""What every pair of generated slides offers: pictures, and the truth between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.scanned_slide import ScannedSlide
from stainbridge.phantom.pairs.truth import DenseTruth
from stainbridge.types import Mask, Points


class GeneratedPair(ABC):
    """Two generated slides and the exact map between them; subclasses are frozen dataclasses."""

    if TYPE_CHECKING:  # at run time a property here would keep dataclass fields from its place

        @property
        def fixed(self) -> ScannedSlide:
            """The fixed slide."""

        @property
        def moving(self) -> ScannedSlide:
            """The moving slide."""

        @property
        def truth(self) -> Transform:
            """The exact map between the slides, moving_from_fixed."""

        @property
        def fixed_landmarks(self) -> Landmarks:
            """Landmarks on the fixed slide."""

        @property
        def moving_landmarks(self) -> Landmarks:
            """The corresponding landmarks on the moving slide."""

    def __repr__(self) -> str:
        """Return one line: stains, size and number of landmarks."""
        frame = self.fixed.frame
        size = f"{frame.width} x {frame.height} px, {frame.mpp[0]:.4g} µm/px"
        count = len(self.fixed_landmarks.labels)
        stains = f"{self.fixed.stain} and {self.moving.stain}"
        return f"<{type(self).__name__} {stains}: {size}, {count} landmarks>"

    @abstractmethod
    def find_valid(self, fixed_um: Points) -> Mask:
        """Return at which fixed points, (N, 2) µm, the truth is a correspondence of tissue, (N,).

        False on glass, outside the moving slide, in folds, and near gaps and folds, beside which
        tissue is missing.
        """

    def valid_mask(self, frame: Frame) -> Mask:
        """Return `find_valid` at the pixel centres of a frame of the fixed slide, (H, W)."""
        return self.find_valid(frame.centres_um()).reshape(frame.height, frame.width)

    def read(self) -> tuple[Image, Image]:
        """Return both slides at full resolution, drawn at once on two cores."""
        with ThreadPoolExecutor(2) as pool:
            slides = (self.fixed, self.moving)
            fixed, moving = pool.map(lambda slide: slide.read(slide.frame), slides)
        return fixed, moving

    def read_with_truth(self, longest_px: int) -> tuple[Image, Image, DenseTruth]:
        """Return both slides at full resolution, and the truth on at most `longest_px` a side.

        All is drawn at once on two cores. It equals what `read`, `truth.to_field`,
        `truth.inverse().to_field` and `valid_mask` return.
        """
        fixed_grid = self.fixed.frame.fit(longest_px)
        moving_grid = self.moving.frame.fit(longest_px)
        with ThreadPoolExecutor(2) as pool:
            images = [pool.submit(slide.read, slide.frame) for slide in (self.fixed, self.moving)]
            valid = pool.submit(self.valid_mask, fixed_grid)
            forward = pool.submit(self.truth.to_field, fixed_grid)
            inverse = pool.submit(self.truth.inverse().to_field, moving_grid)
        fixed, moving = (image.result() for image in images)
        return fixed, moving, DenseTruth(forward.result(), inverse.result(), valid.result())
