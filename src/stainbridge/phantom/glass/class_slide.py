"""The tissue classes of mounted tissue, as a slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.generated import GeneratedSlide, build_levels
from stainbridge.phantom.glass.mounted_tissue import MountedTissue
from stainbridge.phantom.tissue.classes import CLASS_NAMES
from stainbridge.slides.slide import Channel, SlideInfo


@dataclass(frozen=True, eq=False, repr=False)
class ClassSlide(GeneratedSlide):
    """Tissue classes on glass: one uint8 channel, numbered as in `classes.CLASS_NAMES`."""

    mounted: MountedTissue
    """The tissue on its glass."""

    @property
    def info(self) -> SlideInfo:
        """One channel; its values are named in `classes.CLASS_NAMES`."""
        name = ", ".join(CLASS_NAMES)
        return SlideInfo(name, "phantom", "generated", None, np.uint8, (Channel("class"),))

    @property
    def frame(self) -> Frame:
        """The frame of the slide."""
        return self.mounted.frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The levels of the slide."""
        return build_levels(self.mounted.frame)

    @property
    def stain(self) -> None:
        """None: classes have no stain."""

    def read(self, frame: Frame) -> Image:
        """Return class numbers, (1, H, W) uint8; 0 outside the slide."""
        labels = self.mounted.draw_classes(frame)
        return Image(labels[None], frame, np.ones((frame.height, frame.width), bool))
