"""`stainbridge evaluate masks`: how well two masks agree, label by label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stainbridge.cli.options import JsonOption
from stainbridge.cli.output import print_json, say
from stainbridge.jobs.evaluate_masks import EvaluateMasksJob

COLUMNS = {
    "dice": "Dice",
    "hausdorff": "Hausdorff",
    "hd95": "HD95",
    "mean_surface_distance": "mean distance",
}


def masks(
    a: Annotated[
        Path, typer.Argument(help="A mask: 0 is outside, other values are labels.", metavar="A")
    ],
    b: Annotated[Path, typer.Argument(help="Another of the same size.", metavar="B")],
    json: JsonOption = False,
) -> None:
    """Compare two masks label by label: Dice, Hausdorff, HD95, mean absolute surface distance.

    Distances are in µm where the files say how large a pixel is, else in pixels. Masks of one label
    each are compared whatever its value; the scores of several labels are averaged.

    \b
    Example:
        stainbridge evaluate masks tumour-a.png tumour-b.png
        stainbridge evaluate masks tumour-a.png tumour-b.png --json
    """
    facts = EvaluateMasksJob(a=a, b=b).run(note=say).facts
    if json:
        print_json(facts)
    else:
        print(table(facts))


def table(facts: dict[str, Any]) -> str:
    """Return the scores as lines for people."""
    heads = "".join(f"{name:>15}" for name in COLUMNS.values())
    lines = [f"{'label':<8}{heads}   ({facts['unit']})"]
    rows = [(str(row["label"]), row) for row in facts["labels"]]
    if len(rows) > 1:
        rows.append(("mean", facts))
    for name, row in rows:
        cells = "".join(f"{row[key]:>15.4f}" for key in COLUMNS)
        lines.append(f"{name:<8}{cells}")
    return "\n".join(lines)
