"""Image: pixels, never without their frame."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.types import Mask, Pixels


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """Pixels with their place on a slide.

    `Slide.read` returns one. Raises `InputError` when the shapes do not match the frame.

    Example:
        >>> slide = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0).fixed
        >>> image = slide.read(slide.frame.fit(64))
        >>> image
        <Image of 'phantom 3 fixed': 3 x 64 x 64 uint8, 16 µm/px, HE>
        >>> image.pixels.shape, image.frame.mpp, bool(image.valid.all())
        ((3, 64, 64), (16.0, 16.0), True)

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

    def __repr__(self) -> str:
        """Return one line: slide, shape and type of the pixels, pixel size and stain."""
        shape = " x ".join(map(str, self.pixels.shape))
        facts = [f"{shape} {self.pixels.dtype}"]
        if self.frame.calibrated:
            facts.append(f"{self.frame.mpp[0]:.4g} µm/px")
        if self.stain:
            facts.append(self.stain)
        return f"<Image of {self.frame.label!r}: {', '.join(facts)}>"
