"""`stainbridge evaluate translation`: models against the real stain of held-out tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.compute import DeviceChoice
from stainbridge.jobs.evaluate_translation import EvaluateTranslationJob
from stainbridge.jobs.translation_outcome import EvaluateTranslationOutcome

if TYPE_CHECKING:
    from stainbridge.evaluate.translation import MeanScores

COLUMNS = {
    "psnr_db": "PSNR dB",
    "ssim_uniform7": "SSIM 7x7",
    "ssim_gaussian11": "SSIM 11x11",
    "rmse": "RMSE",
    "dab_dice": "DAB Dice",
}
LPIPS_COLUMNS = {"lpips_alex": "LPIPS alex", "lpips_vgg": "LPIPS vgg"}
#: Width of the first column of the tables of shifts.
NAME_WIDTH = 20
DISTRIBUTION_COLUMNS = {"fid": "FID", "kid": "KID"}


def translation(
    models: Annotated[
        list[Path],
        typer.Option("--models", help="A run of train translate, or several.", metavar="RUN..."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Paired tiles: HE and IHC, trainA and trainB, or A and B.", metavar="DIR"
        ),
    ],
    more_models: Annotated[
        list[Path] | None, typer.Argument(help="More models.", metavar="[RUN...]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the tables and a grid of pictures.",
            metavar="OUT",
            callback=check_folder,
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the data.")] = "test",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Translate the second stain to the first.")
    ] = False,
    most: Annotated[
        int | None, typer.Option("--most", help="Use this many pictures, evenly chosen.", min=1)
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option("--features", help="A feature network, for FID and KID.", metavar="NET.pt"),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option("--lpips", help="Folder of LPIPS weights.", metavar="DIR"),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Also score the mean colour of the training targets, and the target of the"
            " training tile whose source is most similar.",
        ),
    ] = False,
    shifts: Annotated[
        bool,
        typer.Option(
            "--shifts",
            help="Also score the real targets against themselves, shifted by 0 to 16 px.",
        ),
    ] = False,
    device: Annotated[DeviceChoice, typer.Option("--device", help="Where to compute.")] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier tables in OUT.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare translated tiles with the real ones: PSNR, SSIM, RMSE, DAB area, LPIPS, FID and KID.

    Pictures are translated whole, and scores change with their size, which is printed. Where names
    end in a HER2 level, as BCI's do, there is a line for each. Models that translate both ways also
    get a table of the translation there and back. Of a set of `stainbridge pairs` it also prints
    how well its pairs are aligned.

    \b
    Example:
        stainbridge evaluate translation --data BCI --models pyramid-run cyclegan-run --out scores
        stainbridge evaluate translation --data BCI --models pyramid-run \\
            --features inception-2015-12-05.pt --json
        stainbridge evaluate translation --data SET --models run --baselines --shifts --out scores
    """
    job = EvaluateTranslationJob(
        models=(*models, *(more_models or ())),
        data=data,
        out=out,
        split=split,
        reverse=reverse,
        most=most,
        features=features,
        lpips=lpips,
        baselines=baselines,
        shifts=shifts,
        device=device,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if json:
        print_json(
            {
                "data": str(data),
                "split": outcome.split,
                "pictures": outcome.pictures,
                "size": outcome.size,
                "means": [asdict(line) for line in outcome.means],
                "distributions": outcome.distributions,
                "residual": None if outcome.residual is None else asdict(outcome.residual),
                "shifts": [asdict(point) for point in outcome.shifts],
                "equal_shifts_px": outcome.equal_shifts,
            }
        )
    else:
        head = f"{outcome.split}: {outcome.pictures} pictures, {outcome.size}"
        print("\n\n".join([head + _residual_line(outcome), tables(outcome), *_shifts(outcome)]))


def tables(outcome: EvaluateTranslationOutcome) -> str:
    """Return the means as lines for people: the translation, then each stain there and back."""
    source, target = outcome.stains
    titles = {
        "forward": f"{source} to {target}",
        "source": f"{source} to {target} and back to {source}",
        "target": f"{target} to {source} and back to {target}",
    }
    sections = []
    for direction, title in titles.items():
        means = [line for line in outcome.means if line.direction == direction]
        if means:
            distributions = outcome.distributions if direction == "forward" else {}
            sections.append("\n".join([title, *_table(means, distributions)]))
    return "\n\n".join(sections)


def _residual_line(outcome: EvaluateTranslationOutcome) -> str:
    """Return how well the pairs of a paired set are aligned; nothing for other data."""
    from stainbridge.datasets.paired_set import format_residuals

    if outcome.residual is None:
        return ""
    return f"\nresidual misalignment of the pairs: {format_residuals(outcome.residual)}"


def _shifts(outcome: EvaluateTranslationOutcome) -> list[str]:
    """Return the table of shifted targets, and the shifts that score like the models."""
    if not outcome.shifts:
        return []
    measures = outcome.shown_measures
    curve = ["the real target against itself, shifted", _head("shift, px", measures)]
    for point in outcome.shifts:
        numbers = [getattr(point.scores, name) for name in measures]
        curve.append(_row(str(point.shift_px), numbers, 4))
    equal = ["scores like the real target shifted by so many px", _head("model", measures)]
    for model, by_measure in outcome.equal_shifts.items():
        equal.append(_row(model, [by_measure[name] for name in measures], 1))
    equal.append("(inf: beyond the largest shift)")
    return ["\n".join(curve), "\n".join(equal)]


def _head(first: str, measures: Mapping[str, str]) -> str:
    return f"{first:<{NAME_WIDTH}}" + "".join(f"{head:>16}" for head in measures.values())


def _row(first: str, numbers: Sequence[float], digits: int) -> str:
    cells = [_format_number(number, digits) for number in numbers]
    return f"{first:<{NAME_WIDTH}}" + "".join(f"{cell:>16}" for cell in cells)


def _table(
    means: Sequence[MeanScores], distributions: Mapping[str, Mapping[str, float]]
) -> list[str]:
    width = max(16, *(len(line.model) + 2 for line in means))
    measured = {
        key: head
        for key, head in LPIPS_COLUMNS.items()
        if any(not math.isnan(getattr(line.scores, key)) for line in means)
    }
    columns = {**COLUMNS, **measured}
    heads = [*columns.values(), *(DISTRIBUTION_COLUMNS.values() if distributions else ())]
    cells = "".join(f"{head:>12}" for head in heads)
    lines = [f"{'model':<{width}}{'level':<7}{'n':>6}{cells}"]
    for line in means:
        numbers = [getattr(line.scores, key) for key in columns]
        if distributions:
            of_model = distributions.get(line.model, {}) if line.level == "all" else {}
            numbers += [of_model.get(key, float("nan")) for key in DISTRIBUTION_COLUMNS]
        cells = "".join(f"{_format_number(number):>12}" for number in numbers)
        lines.append(f"{line.model:<{width}}{line.level:<7}{line.pictures:>6}{cells}")
    return lines


def _format_number(number: float, digits: int = 4) -> str:
    """Return a number with so many decimals; a dash for nan."""
    return "-" if number != number else f"{number:.{digits}f}"
