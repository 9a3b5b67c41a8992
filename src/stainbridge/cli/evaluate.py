"""`stainbridge evaluate`: how good a result is, in numbers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli import (
    evaluate_images,
    evaluate_masks,
    evaluate_slices,
    evaluate_translation,
)
from stainbridge.cli.options import JsonOption
from stainbridge.cli.output import print_json, say
from stainbridge.jobs.evaluate_landmarks import EvaluateLandmarksJob

if TYPE_CHECKING:
    from stainbridge.metrics.landmarks import LandmarkScores

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure how good a result is.")


@app.callback()
def evaluate() -> None:
    """Measure how good a result is."""


@app.command("landmarks")
def landmarks(
    fixed_landmarks: Annotated[
        Path, typer.Option("--fixed-landmarks", help="Points on the fixed slide.")
    ],
    moving_landmarks: Annotated[
        Path, typer.Option("--moving-landmarks", help="The same points on the moving slide.")
    ],
    result: Annotated[
        Path,
        typer.Option(
            "--result", help="The folder that `stainbridge register` wrote.", metavar="DIR"
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Compare landmarks of the moving slide, warped, with those of the fixed one.

    TRE is the distance from where a landmark should be; rTRE is TRE over the fixed slide's
    diagonal. "Before" places the slides by their top-left corners. Robustness is the share of
    landmarks that came closer.

    \b
    Example:
        stainbridge evaluate landmarks --fixed-landmarks he.csv --moving-landmarks ki67.csv \\
            --result result
    """
    job = EvaluateLandmarksJob(
        fixed_landmarks=fixed_landmarks, moving_landmarks=moving_landmarks, result=result
    )
    outcome = job.run(note=say)
    if json:
        print_json(asdict(outcome.scores))
    else:
        print(table(outcome.scores, calibrated=outcome.is_calibrated))


app.command("images")(evaluate_images.images)
app.command("masks")(evaluate_masks.masks)
app.command("translation")(evaluate_translation.translation)
app.command("slices")(evaluate_slices.slices)


def table(scores: LandmarkScores, *, calibrated: bool) -> str:
    """Return the scores as lines for people; µm only where the pixel size is known."""
    lines = [f"{'':<16}{'median':>10}{'mean':>10}{'p90':>10}{'max':>10}"]
    for when, errors in (("before", scores.before), ("after", scores.after)):
        rows = [
            ("rTRE", errors.rtre, ".5f"),
            ("TRE px", errors.tre_px, ".2f"),
            ("TRE µm", errors.tre_um, ".2f"),
        ]
        for unit, spread, style in rows if calibrated else rows[:2]:
            values = (spread.median, spread.mean, spread.p90, spread.max)
            cells = "".join(f"{value:>10{style}}" for value in values)
            lines.append(f"{when:<8}{unit:<8}{cells}")
    lines.append(f"{scores.n} landmarks, {scores.robustness:.1%} came closer (robustness)")
    return "\n".join(lines)
