"""`stainbridge pairs`: slide pairs in; a filtered set of aligned patch pairs out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.errors import RegistrationError
from stainbridge.jobs.pair_set import PairSetJob, PairSetOutcome
from stainbridge.pairing.config import (
    Blend,
    Engine,
    PairingConfig,
    RegisterPreset,
    Thresholds,
)

if TYPE_CHECKING:
    from stainbridge.pairing.write.summary import SetSummary

DEFAULTS = PairingConfig()


def pairs(
    out: Annotated[
        Path,
        typer.Option("--out", help="The folder for the set.", metavar="DIR", callback=check_folder),
    ],
    manifest: Annotated[
        Path | None,
        typer.Argument(help="A CSV with a row for each slide pair.", metavar="[MANIFEST.csv]"),
    ] = None,
    fixed: Annotated[
        Path | None, typer.Option("--fixed", help="Single pair: the slide that stays in place.")
    ] = None,
    moving: Annotated[
        Path | None,
        typer.Option("--moving", help="Single pair: the slide that is aligned to the fixed one."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Single pair: a class, such as 2+.")
    ] = None,
    fixed_landmarks: Annotated[
        Path | None,
        typer.Option("--fixed-landmarks", help="Single pair: four or more points, CSV or GeoJSON."),
    ] = None,
    moving_landmarks: Annotated[
        Path | None,
        typer.Option("--moving-landmarks", help="Single pair: the same points, moving slide."),
    ] = None,
    transform: Annotated[
        Path | None,
        typer.Option(
            "--transform", help="Single pair: a result of register, used as it is.", metavar="DIR"
        ),
    ] = None,
    fixed_mpp: Annotated[
        float | None, typer.Option("--fixed-mpp", help="Single pair: µm per pixel.")
    ] = None,
    moving_mpp: Annotated[
        float | None, typer.Option("--moving-mpp", help="Single pair: µm per pixel.")
    ] = None,
    patch_px: Annotated[
        int, typer.Option("--patch", help="Side of a patch in pixels.", metavar="PX")
    ] = DEFAULTS.patch_px,
    stride_px: Annotated[
        int | None,
        typer.Option(
            "--stride", help="Pixels from one patch to the next.  [default: a patch]", metavar="PX"
        ),
    ] = None,
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="µm per pixel of patches.  [default: the fixed slide's]"),
    ] = None,
    engine: Annotated[
        Engine, typer.Option("--engine", help="What aligns the slides.")
    ] = DEFAULTS.engine,
    preset: Annotated[
        RegisterPreset, typer.Option("--preset", help="How much work the alignment is.")
    ] = DEFAULTS.preset,
    blocks: Annotated[
        int, typer.Option("--blocks", help="Blocks that elastix registers one by one.")
    ] = DEFAULTS.blocks,
    blend: Annotated[
        Blend, typer.Option("--blend", help="How blocks of elastix meet; none cuts hard, as BCI.")
    ] = DEFAULTS.blend,
    max_residual_px: Annotated[
        float,
        typer.Option("--max-residual", help="Largest estimated misalignment.", metavar="PX"),
    ] = DEFAULTS.thresholds.max_residual_px,
    min_tissue: Annotated[
        float, typer.Option("--min-tissue", help="Least share of tissue in each picture.")
    ] = DEFAULTS.thresholds.min_tissue,
    max_blur_px: Annotated[
        float, typer.Option("--max-blur", help="Largest radius of blur.", metavar="PX")
    ] = DEFAULTS.thresholds.max_blur_px,
    max_pen: Annotated[
        float, typer.Option("--max-pen", help="Largest share of pen ink.")
    ] = DEFAULTS.thresholds.max_pen,
    max_fold: Annotated[
        float, typer.Option("--max-fold", help="Largest share of folded tissue.")
    ] = DEFAULTS.thresholds.max_fold,
    test_share: Annotated[
        float | None,
        typer.Option("--test-share", help="Share of patients to test on.  [default: 0.2]"),
    ] = None,
    val_share: Annotated[
        float | None,
        typer.Option("--val-share", help="Share of patients to validate on.  [default: 0]"),
    ] = None,
    shard_samples: Annotated[
        int | None,
        typer.Option("--shards", help="Also write WebDataset shards of N samples.", metavar="N"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Slide pairs at a time.  [default: 2]", min=1),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of every random choice.", min=0)
    ] = DEFAULTS.seed,
    resume: Annotated[  # noqa: ARG001 - scripts may say it; the same command always resumes
        bool, typer.Option("--resume", help="Resume an interrupted run, as always.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier set in DIR.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Cut aligned patch pairs from slide pairs: a documented data set to train on.

    DIR receives HE/ and IHC/ with pictures of the same names in train, val and test, a manifest
    with the origin and the scores of every patch, a data card and a contact sheet. Patches that
    are blank or badly aligned are dropped. Slides that cannot be aligned are named and skipped;
    where no patch is left the exit code is 3. The same command again resumes.

    \b
    Example:
        stainbridge pairs --fixed he.svs --moving her2.svs --out set
        stainbridge pairs slides.csv --out set --patch 512 --mpp 0.5 --max-residual 2
    """
    job = PairSetJob(
        out=out,
        manifest=manifest,
        fixed=fixed,
        moving=moving,
        single={
            "label": label,
            "fixed_landmarks": fixed_landmarks,
            "moving_landmarks": moving_landmarks,
            "transform": transform,
            "fixed_mpp": fixed_mpp,
            "moving_mpp": moving_mpp,
        },
        config=PairingConfig(
            patch_px=patch_px,
            stride_px=stride_px,
            mpp=mpp,
            engine=engine,
            blend=blend,
            blocks=blocks,
            preset=preset,
            thresholds=Thresholds(
                min_tissue=min_tissue,
                max_residual_px=max_residual_px,
                max_blur_px=max_blur_px,
                max_pen=max_pen,
                max_fold=max_fold,
            ),
            seed=seed,
        ),
        test_share=test_share,
        val_share=val_share,
        shard_samples=shard_samples,
        workers=workers,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if json:
        print_json(describe(outcome))
    else:
        print(summarise(outcome))
    return 0 if outcome.kept else RegistrationError.exit_code


def summarise(outcome: PairSetOutcome) -> str:
    """Return the outcome in a few lines for people."""
    aligned = len(outcome.pairs) - len(outcome.skipped)
    lines = [f"slide pairs: {aligned} of {len(outcome.pairs)} used"]
    lines.append(f"patches: {outcome.kept} kept of {_count_measured(outcome.summary)} measured")
    dropped = _list_dropped(outcome.summary)
    if dropped:
        words = ", ".join(f"{count} for {name}" for name, count in dropped.items())
        lines.append(f"dropped: {words}")
    if outcome.kept:
        px, um = _read_median(outcome.summary)
        in_um = "" if math.isnan(um) else f", {um:.2f} µm"
        lines.append(f"median residual: {px:.2f} px{in_um}")
    if outcome.cut:
        rate = outcome.cut / max(outcome.seconds, 1e-6)
        lines.append(f"measured {outcome.cut} in {outcome.seconds:.0f} s: {rate:.1f} patches/s")
    return "\n".join([*lines, f"written: {outcome.folder}"])


def describe(outcome: PairSetOutcome) -> dict[str, Any]:
    """Return the outcome as one JSON object."""
    px, um = _read_median(outcome.summary)
    rate = outcome.cut / max(outcome.seconds, 1e-6)
    return {
        "out": str(outcome.folder),
        "pairs": outcome.pairs,
        "patches": _count_measured(outcome.summary),
        "kept": outcome.kept,
        "dropped": _list_dropped(outcome.summary),
        "splits": {count.name: count.kept for count in outcome.summary.splits},
        "median_residual_px": px,
        "median_residual_um": um,
        "md5": outcome.md5,
        "seconds": outcome.seconds,
        "patches_per_s": rate if outcome.cut else None,
        "already_done": outcome.is_already_done,
    }


def _count_measured(summary: SetSummary) -> int:
    return summary.total.kept + summary.total.dropped


def _list_dropped(summary: SetSummary) -> dict[str, int]:
    """Return how many patches each threshold dropped, of those that dropped any."""
    return {item.name: item.dropped for item in summary.thresholds if item.dropped}


def _read_median(summary: SetSummary) -> tuple[float, float]:
    """Return the median residual of kept patches in pixels and µm; nan where nothing tells."""
    medians = [item for item in summary.residuals if item.share == 0.5]
    return (medians[0].px, medians[0].um) if medians else (math.nan, math.nan)
