"""`stainbridge evaluate masks`: how well two masks agree, label by label."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.compared import check_sizes, read_labels
from stainbridge.cli.output import print_json, say

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.metrics.segmentations import MaskScores

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
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two masks label by label: Dice, Hausdorff, HD95, mean absolute surface distance.

    Distances are in µm where the files say how large a pixel is, else in pixels. Masks of one label
    each are compared whatever its value; the scores of several labels are averaged.

    \b
    Example:
        stainbridge evaluate masks tumour-a.png tumour-b.png
        stainbridge evaluate masks tumour-a.png tumour-b.png --json
    """
    from stainbridge.metrics.segmentations import labels_of, score_labels
    from stainbridge.slides.open import open_slide

    with open_slide(a) as slide_a, open_slide(b) as slide_b:
        check_sizes(b, slide_b.frame, a, slide_a.frame)
        pixels_a, pixels_b = read_labels(a, slide_a), read_labels(b, slide_b)
        frame = slide_a.frame if slide_a.frame.calibrated else slide_b.frame
    labels_a, labels_b = labels_of(pixels_a, a), labels_of(pixels_b, b)
    if len(labels_a) == len(labels_b) == 1:
        pixels_b = (pixels_b != 0) * max(labels_a)
    else:
        _warn_of_strangers(labels_a, labels_b, a, b)
    facts = describe(score_labels(pixels_a, pixels_b, frame.mpp), frame)
    if json:
        print_json({"a": str(a), "b": str(b), **facts})
    else:
        print(table(facts))


def _warn_of_strangers(labels_a: set[int], labels_b: set[int], a: Path, b: Path) -> None:
    for label in sorted(labels_a ^ labels_b):
        say(f"warning: label {label} is only in {a if label in labels_a else b}")


def describe(scores: dict[int, MaskScores], frame: Frame) -> dict[str, Any]:
    """The scores as plain values: the mean over labels, and each label's."""
    rows = {label: asdict(row) for label, row in scores.items()}
    means = {key: sum(row[key] for row in rows.values()) / len(rows) for key in COLUMNS}
    unit = "µm" if frame.calibrated else "px"
    return {
        "unit": unit,
        **means,
        "labels": [{"label": label, **row} for label, row in rows.items()],
    }


def table(facts: dict[str, Any]) -> str:
    """The facts of `describe` as lines for people."""
    lines = [
        f"{'label':<8}"
        + "".join(f"{name:>15}" for name in COLUMNS.values())
        + f"   ({facts['unit']})"
    ]
    rows = [(str(row["label"]), row) for row in facts["labels"]]
    if len(rows) > 1:
        rows.append(("mean", facts))
    lines += [f"{name:<8}" + "".join(f"{row[key]:>15.4f}" for key in COLUMNS) for name, row in rows]
    return "\n".join(lines)
