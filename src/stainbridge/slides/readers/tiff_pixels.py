"""Make a slide's channels of a TIFF page's samples: alpha, palettes, inverted greys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.slides.readers.alpha import blend_over_white, hide_transparent
from stainbridge.slides.readers.palette import colours_labels
from stainbridge.slides.readers.resample import Interleaved

#: Values of the tag PhotometricInterpretation.
MINISWHITE = 0
RGB = 2
PALETTE = 3
SEPARATED = 5
YCBCR = 6
#: Compressions whose decoder turns YCbCr into RGB.
DECODES_YCBCR = {6, 7, 34892, 33007, 33005, 34712, 50001}
#: The tag InkSet, and its value for cyan, magenta, yellow and black.
INK_SET = 332
CMYK_INKS = 1
#: Colour spaces that are not read, by PhotometricInterpretation.
REFUSED = {
    4: "transparency masks",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    SEPARATED: "CMYK",
    32803: "colour filter arrays",
}


@dataclass(frozen=True, eq=False)
class PixelRule:
    """How decoded samples (H, W, S) become channels (H, W, C)."""

    dtype: npt.DTypeLike
    """Type of the channels."""
    channels: int
    """Number of channels."""
    is_colour: bool
    """Whether they are red, green and blue."""
    alpha: Literal["associated", "unassociated"] | None = None
    """Kind of the last sample where it is alpha; associated colours are multiplied by it."""
    is_mask: bool = False
    """Whether transparent pixels are 0; they are white otherwise."""
    keep: int | None = None
    """How many of the samples are channels; None for all."""
    is_cmyk: bool = False
    """Whether samples are cyan, magenta, yellow and black, which become RGB."""
    palette: npt.NDArray[np.uint8] | None = None
    """Colours, (N, 3), that the samples are numbers of."""
    white: int | None = None
    """Where the smallest value is white: the sum of a value and its inverse."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about the samples, one line each."""

    def __call__(self, samples: Interleaved) -> Interleaved:
        """Return (H, W, C) of samples (H, W, S) as they are stored."""
        if samples.dtype.kind == "b":
            samples = samples.astype(np.uint8) * np.uint8(255)
        if self.palette is not None:
            return np.asarray(self.palette[samples[..., 0]])
        if self.is_cmyk:
            return _cmyk_to_rgb(samples)
        if self.white is not None:
            samples = self._turn(samples)
        if self.alpha is not None:
            samples = samples[..., : self.channels + 1]
            premultiplied = self.alpha == "associated"
            samples = (
                hide_transparent(samples)
                if self.is_mask
                else blend_over_white(samples, premultiplied=premultiplied)
            )
        elif self.keep is not None:
            samples = samples[..., : self.keep]
        return np.asarray(samples, self.dtype)

    def _turn(self, samples: Interleaved) -> Interleaved:
        """Return samples whose largest value is white; alpha stays as it is."""
        colours = samples if self.alpha is None else samples[..., : self.channels]
        # white is all bits of a sample, so that turning a value is turning its bits
        turned = colours ^ samples.dtype.type(self.white or 0)
        if self.alpha is None:
            return np.asarray(turned)
        return np.concatenate([turned, samples[..., self.channels :]], axis=2)


def choose_pixel_rule(page: Any, path: object, *, mask: bool = False) -> PixelRule:
    """Return the rule for a tifffile page.

    In a mask transparent pixels are 0, and a palette of colours is left aside: its numbers are
    labels.

    Raises `InputError` for colour spaces and sample types that are not read.
    """
    photometric = int(page.photometric)
    samples = int(page.samplesperpixel)
    if _is_plain_cmyk(page):
        return PixelRule(np.dtype(np.uint8), 3, True, is_cmyk=True)
    decodes = int(page.compression) in DECODES_YCBCR
    if (
        photometric in REFUSED
        or (photometric == YCBCR and not decodes)
        or int(page.compression) == 33003
    ):
        got = REFUSED.get(photometric, "YCbCr without JPEG")
        raise InputError(
            "this TIFF's colours are not read", where=path, got=got, remedy="convert it to RGB"
        )
    dtype = _dtype(page, path)
    if photometric == PALETTE and page.colormap is not None:
        palette = _read_palette(page.colormap)
        if mask and colours_labels(palette):
            return PixelRule(dtype, 1, False)
        return PixelRule(np.dtype(np.uint8), 3, True, palette=palette)
    colours = 3 if photometric in (RGB, YCBCR) and samples >= 3 else 1
    extra = [int(kind) for kind in page.extrasamples]
    # four samples of 16 bits are channels of fluorescence, whatever their writer called them
    may_be_alpha = dtype == np.uint8 or (mask and dtype.kind == "u")
    if samples == colours + 1 and extra[:1] in ([1], [2]) and may_be_alpha:
        kind: Literal["associated", "unassociated"] = (
            "associated" if extra[0] == 1 else "unassociated"
        )
        white = _inverse_sum(page, photometric)
        return PixelRule(dtype, colours, colours == 3, alpha=kind, is_mask=mask, white=white)
    if colours == 3 and (samples == 3 or dtype == np.uint8):
        return PixelRule(dtype, 3, True, keep=3)
    warnings = _doubt_samples(page, photometric)
    white = _inverse_sum(page, photometric)
    return PixelRule(dtype, samples, False, white=white, warnings=warnings)


def _is_plain_cmyk(page: Any) -> bool:
    """Return whether a page holds 8-bit CMYK as TIFF 6.0 has it; as JPEG it may be inverted."""
    return (
        int(page.photometric) == SEPARATED
        and int(page.samplesperpixel) == 4
        and page.dtype == np.uint8
        and int(page.compression) not in DECODES_YCBCR
        and int(page.tags.valueof(INK_SET, CMYK_INKS)) == CMYK_INKS
    )


def _cmyk_to_rgb(samples: Interleaved) -> Interleaved:
    """Return (H, W, 3) of (H, W, 4): what the inks leave of white, as Pillow computes it."""
    left = 255 - samples.astype(np.uint16)
    return np.asarray((left[..., :3] * left[..., 3:] + 127) // 255, np.uint8)


def _read_palette(colormap: Any) -> npt.NDArray[np.uint8]:
    """Return colours (N, 3). They have 16 bits; some writers store 8, as libtiff also assumes."""
    colours = np.asarray(colormap)
    is_8_bit = int(colours.max(initial=0)) <= 255
    return np.ascontiguousarray((colours if is_8_bit else colours >> 8).T.astype(np.uint8))


def _inverse_sum(page: Any, photometric: int) -> int | None:
    """Return the sum of a WhiteIsZero sample and its inverse; None where nothing is turned."""
    kind = np.dtype(page.dtype).kind
    if photometric != MINISWHITE or kind == "f":
        return None
    if kind == "i":  # the smallest and the largest value change places
        return -1
    return 255 if kind == "b" else 2 ** int(page.bitspersample) - 1


def _doubt_samples(page: Any, photometric: int) -> tuple[str, ...]:
    kind = np.dtype(page.dtype).kind
    if photometric == MINISWHITE and kind == "f":
        return ("WhiteIsZero of fractions is not turned: large values are dark",)
    bits = int(page.bitspersample)
    if kind == "u" and 1 < bits < 8:
        return (f"samples of {bits} bits: values are 0 to {2**bits - 1}",)
    return ()


def _dtype(page: Any, path: object) -> np.dtype[Any]:
    if page.dtype is None or np.dtype(page.dtype).kind not in "biuf":
        raise InputError("this TIFF's sample type is not read", where=path, got=page.dtype)
    dtype = np.dtype(page.dtype).newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype
