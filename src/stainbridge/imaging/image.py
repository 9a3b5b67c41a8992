"""Image: pixels, never without their frame."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.types import Mask, Pixels


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels with their place on a slide.

    `Slide.read` returns one. Raises `InputError` when the shapes do not match the frame.

    Example:
        >>> slide = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0).fixed
        >>> image = slide.read(slide.frame.fit(64))
        >>> image.pixels.shape, image.frame.mpp, bool(image.valid.all()), image.stain
        ((3, 64, 64), (16.0, 16.0), True, 'HE')

    """

    pixels: Pixels
    """(C, H, W)."""
    frame: Frame
    """Where the pixels are."""
    valid: Mask
    """Which pixels hold data, (H, W); those outside the slide hold the background value."""
    stain: str | None = None
    """A free name such as "HE"."""

    def __post_init__(self) -> None:
        size = (self.frame.height, self.frame.width)
        if self.pixels.ndim != 3 or self.pixels.shape[1:] != size:
            raise InputError(
                "pixels do not match their frame",
                expected=f"(C, {size[0]}, {size[1]})",
                got=self.pixels.shape,
            )
        if self.valid.shape != size:
            raise InputError(
                "valid mask does not match the frame", expected=size, got=self.valid.shape
            )
