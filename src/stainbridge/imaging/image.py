"""Image: pixels, never without their frame."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.types import Mask, Pixels


@dataclass(frozen=True, eq=False)
class Image:
    """`pixels` (C, H, W), where they are (`frame`), and which of them hold data (`valid`, (H, W)
    bool).

    Pixels outside the slide are not valid and hold the background value. `stain` is a free name
    such as "HE". Raises `InputError` when the shapes do not match the frame.
    """

    pixels: Pixels
    frame: Frame
    valid: Mask
    stain: str | None = None

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
