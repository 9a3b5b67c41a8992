"""Write a small slide as a PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

from stainbridge.errors import InputError
from stainbridge.slides.slide import Slide
from stainbridge.whole import whole_file

#: Most pixels of a PNG; viewers hold all of a picture in memory.
MOST_PIXELS = 100_000_000
#: Channels that PNG has a mode for.
CHANNELS = (1, 3)


def write_png(slide: Slide, path: Path, finish: Callable[[Path], None] | None = None) -> None:
    """Write the whole slide at full resolution; `finish` is as in `write_slide`.

    Raises `InputError` for a slide that is too large, or whose pixels PNG has no mode for.
    """
    height, width = slide.frame.height, slide.frame.width
    if height * width > MOST_PIXELS:
        raise InputError(
            "too large for a PNG",
            where=path,
            expected=f"at most {MOST_PIXELS // 10**6} megapixels",
            got=f"{width} x {height} pixels",
            remedy="write an .ome.tiff",
        )
    if len(slide.info.channels) not in CHANNELS or slide.info.dtype != np.uint8:
        raise InputError(
            "pixels that a PNG does not hold",
            where=path,
            expected="8 bits, grey or RGB",
            got=f"{len(slide.info.channels)} channels of {slide.info.dtype}",
            remedy="write an .ome.tiff",
        )
    pixels = np.asarray(slide.read(slide.frame).pixels)
    picture = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    with whole_file(path) as temporary:
        PIL.Image.fromarray(np.ascontiguousarray(picture)).save(
            temporary, format="PNG", icc_profile=slide.info.icc_profile
        )
        if finish is not None:
            finish(temporary)
