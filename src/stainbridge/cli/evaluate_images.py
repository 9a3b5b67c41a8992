"""`stainbridge evaluate images`: how alike two pictures are that lie on each other."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.output import print_json, say
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.types import Mask, Pixels

#: Larger pictures would take more than a few GB.
MOST_PIXELS = 4096 * 4096

ROWS = {
    "ncc": "NCC",
    "local_ncc": "local NCC 9x9",
    "nmi": "NMI",
    "ssim_uniform7": "SSIM 7x7 uniform",
    "ssim_gaussian11": "SSIM 11x11 Gaussian",
    "psnr_db": "PSNR dB",
    "rmse": "RMSE",
}
DAB_ROWS = {
    "mean_density_a": "DAB density of A",
    "mean_density_b": "DAB density of B",
    "positive_share_a": "DAB area of A",
    "positive_share_b": "DAB area of B",
    "density_correlation": "DAB correlation",
    "positive_dice": "DAB area Dice",
}


def images(
    a: Annotated[Path, typer.Argument(help="A picture or slide.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another of the same size that lies on it.", metavar="B")],
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Compare only where this picture is not 0.", metavar="M.png")
    ] = None,
    longest: Annotated[
        int | None, typer.Option("--longest", help="Shrink both to so many pixels on the longer side.", min=11)
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Compare the mean of the channels.")] = False,
    dab: Annotated[bool, typer.Option("--dab", help="Also compare the brown stain of two IHC pictures.")] = False,
    span: Annotated[
        float | None, typer.Option("--span", help="Range of possible values; default: that of the pixels' type.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two pictures pixel by pixel: NCC, NMI, SSIM, PSNR, RMSE.

    NCC, local NCC and NMI are of the mean of the channels, the others of all channels. The two kinds of SSIM cannot be
    compared with each other, and every score changes with the resolution, which is printed.

    \b
    Example:
        stainbridge evaluate images he.png ki67-on-he.png
        stainbridge evaluate images real.png generated.png --mask tissue.png --dab --json
    """
    from stainbridge.metrics.images import score_images

    pixels_a, pixels_b, frame = read_pair(a, b, longest)
    inside = None if mask is None else read_inside(mask, frame)
    facts: dict[str, Any] = {"a": str(a), "b": str(b), "width": frame.width, "height": frame.height}
    compared = (_grey(pixels_a), _grey(pixels_b)) if grey else (pixels_a, pixels_b)
    facts |= asdict(score_images(*compared, inside, span))
    if dab:
        from stainbridge.metrics.stains import score_dab

        facts["dab"] = asdict(score_dab(pixels_a, pixels_b, inside))
    if json:
        print_json(facts)
    else:
        print(table(facts))


def read_pair(a: Path, b: Path, longest: int | None) -> tuple[Pixels, Pixels, Frame]:
    """The pixels (C, H, W) of two pictures of one size, and the frame of the first, shrunk to `longest` if given.

    Raises `InputError` when sizes differ or the pictures are too large to compare.
    """
    from stainbridge.slides.open import open_slide

    with open_slide(a) as slide_a, open_slide(b) as slide_b:
        check_sizes(b, slide_b.frame, a, slide_a.frame)
        frames = [slide.frame.fit(longest) if longest else slide.frame for slide in (slide_a, slide_b)]
        width, height = frames[0].width, frames[0].height
        if width * height > MOST_PIXELS:
            raise InputError(
                "the pictures are too large to compare",
                where=a,
                expected=f"at most {MOST_PIXELS} pixels",
                got=f"{width} x {height}",
                remedy="add --longest 4096",
            )
        return slide_a.read(frames[0]).pixels, slide_b.read(frames[1]).pixels, frames[0]


def check_sizes(path: Path, size: Frame, other_path: Path, other: Frame) -> None:
    """Raise `InputError` when two pictures do not have the same size; say so when their pixels are not as large."""
    if (size.width, size.height) != (other.width, other.height):
        raise InputError(
            "the pictures do not have the same size",
            where=path,
            expected=f"{other.width} x {other.height} as {other_path}",
            got=f"{size.width} x {size.height}",
            remedy="warp one onto the other first: stainbridge warp slide",
        )
    if size.calibrated and other.calibrated and abs(size.mpp[0] / other.mpp[0] - 1) > 0.01:
        say(f"warning: pixel sizes differ, {other.mpp[0]:.4g} and {size.mpp[0]:.4g} µm; pixels are compared one to one")


def read_inside(path: Path, frame: Frame) -> Mask:
    """Where a mask picture of the shape of `frame`, at any resolution, is not 0, on its pixels, (H, W)."""
    import cv2
    import numpy as np

    from stainbridge.cli.inputs import read_mask

    mask = read_mask(path, frame).pixels[0]
    size = (frame.width, frame.height)
    return np.asarray(cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST) > 0)


def _grey(pixels: Pixels) -> Pixels:
    """The mean of the channels, (1, H, W), in the pixels' own type."""
    import numpy as np

    mean = pixels.mean(axis=0, keepdims=True)
    return np.asarray(np.rint(mean) if pixels.dtype.kind in "iu" else mean, pixels.dtype)


def table(facts: dict[str, Any]) -> str:
    """The scores as lines for people."""
    size = f"{facts['width']} x {facts['height']} px, {facts['pixels']} of them compared"
    lines = [f"{size}; values span {facts['span']:g}"]
    lines += [f"{name:<21}{facts[key]:>10.4f}" for key, name in ROWS.items()]
    if "dab" in facts:
        lines += [f"{name:<21}{facts['dab'][key]:>10.4f}" for key, name in DAB_ROWS.items()]
    return "\n".join(lines)
