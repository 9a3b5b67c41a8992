"""`stainbridge info`: what is known of a slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.output import print_json, say

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.slides.slide import Slide


def info(
    slide: Annotated[
        Path, typer.Argument(help="A whole-slide image or any picture.", metavar="SLIDE")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a slide's format, size, levels, pixel size, channels and reader.

    \b
    Example:
        stainbridge info he.svs
        stainbridge info he.svs --json
    """
    from stainbridge.slides.open import open_slide

    with open_slide(slide) as opened:
        facts = describe(opened)
    for warning in facts["warnings"]:
        say(f"warning: {slide}: {warning}")
    if json:
        print_json(facts)
    else:
        print(table(facts))


def describe(slide: Slide) -> dict[str, Any]:
    """The facts of a slide as plain values; sizes in pixels, `mpp` in µm per pixel (x, y)."""
    import numpy as np

    about = slide.info
    return {
        "path": about.path,
        "format": about.format,
        "vendor": about.vendor,
        "reader": about.reader,
        "width": slide.frame.width,
        "height": slide.frame.height,
        "mpp": list(slide.frame.mpp),
        "calibrated": slide.frame.calibrated,
        "dtype": np.dtype(about.dtype).name,
        "channels": [channel.name for channel in about.channels],
        "stain": slide.stain,
        "levels": [_describe_level(level, slide.frame) for level in slide.levels],
        "warnings": list(about.warnings),
    }


def _describe_level(level: Frame, full: Frame) -> dict[str, Any]:
    return {
        "width": level.width,
        "height": level.height,
        "mpp": list(level.mpp),
        "downsample": level.mpp[0] / full.mpp[0],
    }


def table(facts: dict[str, Any]) -> str:
    """The facts of `describe` as lines for people."""
    x, y = facts["mpp"]
    levels = ", ".join(f"{level['width']} x {level['height']}" for level in facts["levels"])
    pixel_size = (
        f"{x:.4g} x {y:.4g} µm" if facts["calibrated"] else "unknown (lengths are in pixels)"
    )
    rows = [
        ("file", facts["path"]),
        ("format", facts["format"] + (f" ({facts['vendor']})" if facts["vendor"] else "")),
        ("reader", facts["reader"]),
        ("size", f"{facts['width']} x {facts['height']} px, {facts['dtype']}"),
        ("pixel size", pixel_size),
        ("channels", ", ".join(facts["channels"])),
        ("levels", f"{len(facts['levels'])}: {levels}"),
    ]
    if facts["stain"]:
        rows.append(("stain", facts["stain"]))
    return "\n".join(f"{name:<11}{value}" for name, value in rows)
