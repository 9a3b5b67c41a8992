"""`stainbridge info`: what is known of a slide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stainbridge.cli.options import JsonOption
from stainbridge.cli.output import print_json, say
from stainbridge.jobs.info import InfoJob


def info(
    slide: Annotated[
        Path, typer.Argument(help="A whole-slide image or any picture.", metavar="SLIDE")
    ],
    json: JsonOption = False,
) -> None:
    """Show a slide's format, size, levels, pixel size, channels and reader.

    \b
    Example:
        stainbridge info he.svs
        stainbridge info he.svs --json
    """
    facts = InfoJob(slide=slide).run(note=say).facts
    if json:
        print_json(facts)
    else:
        print(table(facts))


def table(facts: dict[str, Any]) -> str:
    """Return the facts of a slide as lines for people."""
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
