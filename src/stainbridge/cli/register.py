"""`stainbridge register`: two slides in; a transform, its record and a report out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.options import (
    JsonOption,
    MaxRotationOption,
    NoFlipOption,
    PipelineOption,
    SeedOption,
    check_folder,
)
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.cli.quick_start import settle_at_progress
from stainbridge.compute import DeviceChoice
from stainbridge.errors import RegistrationError
from stainbridge.jobs.register import (
    RegisterJob,
    RegisterPresetChoice,
    SideChoice,
    TransformChoice,
)
from stainbridge.jobs.register_outcome import REPORT, RegisterOutcome

#: Stages of trained networks, which are asked for by name.
TRAINED = ("affine-net", "learned field", "segmentation-augmented", "synth-by-reg")


def register(
    fixed: Annotated[Path, typer.Option("--fixed", help="The slide that stays in place.")],
    moving: Annotated[
        Path, typer.Option("--moving", help="The slide that is aligned to the fixed one.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The folder for the result.", metavar="DIR", callback=check_folder
        ),
    ],
    preset: Annotated[
        RegisterPresetChoice | None,
        typer.Option("--preset", help="How much work to do.  [default: default]"),
    ] = None,
    pipeline: PipelineOption = None,
    device: Annotated[
        DeviceChoice | None, typer.Option("--device", help="Where to compute.  [default: auto]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="CPU threads.  [default: all cores]", min=1)
    ] = None,
    seed: SeedOption = None,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init", help="A fixed-to-moving transform to start from.", metavar="TRANSFORM.h5"
        ),
    ] = None,
    fixed_landmarks: Annotated[
        Path | None,
        typer.Option("--fixed-landmarks", help="Start from point pairs: on the fixed slide."),
    ] = None,
    moving_landmarks: Annotated[
        Path | None,
        typer.Option("--moving-landmarks", help="Start from point pairs: on the moving slide."),
    ] = None,
    fixed_mask: Annotated[
        Path | None,
        typer.Option("--fixed-mask", help="Use tissue only where this picture is not 0."),
    ] = None,
    moving_mask: Annotated[
        Path | None,
        typer.Option("--moving-mask", help="Use tissue only where this picture is not 0."),
    ] = None,
    transform: Annotated[
        TransformChoice | None,
        typer.Option("--transform", help="What the transform may do.  [default: deformable]"),
    ] = None,
    no_flip: NoFlipOption = False,
    max_rotation_deg: MaxRotationOption = None,
    affine_weights: Annotated[
        str | None,
        typer.Option(
            "--affine-weights", help="Trained affine network: a file, a RUN or a name.", metavar="W"
        ),
    ] = None,
    deformable_weights: Annotated[
        str | None,
        typer.Option(
            "--deformable-weights",
            help="Trained deformable network: a file, a RUN or a name.",
            metavar="W",
        ),
    ] = None,
    sbr: Annotated[
        str | None,
        typer.Option(
            "--sbr", help="Deform by a trained Synth-by-Reg: a RUN of train sbr.", metavar="RUN"
        ),
    ] = None,
    sar: Annotated[
        str | None,
        typer.Option(
            "--sar",
            help="Deform by a segmentation-augmented network: a RUN of train sar.",
            metavar="RUN",
        ),
    ] = None,
    tune: Annotated[
        int | None,
        typer.Option(
            "--tune",
            help="Tune that network's last layer to the pair, in at most 10 to 30 iterations.",
            metavar="N",
        ),
    ] = None,
    translator: Annotated[
        str | None,
        typer.Option(
            "--translator",
            help="See one slide in the other's stain: a RUN of train translate, a file or a name.",
            metavar="RUN",
        ),
    ] = None,
    translate: Annotated[
        SideChoice | None,
        typer.Option(
            "--translate", help="The slide to translate.  [default: by the stains, else fixed]"
        ),
    ] = None,
    reverse_translator: Annotated[
        bool,
        typer.Option(
            "--reverse-translator", help="Translate from the model's target stain to its source."
        ),
    ] = False,
    tiles_px: Annotated[
        int | None,
        typer.Option(
            "--tiles",
            help="Finally refine in tiles, at this many pixels along the longer side.",
            metavar="PX",
        ),
    ] = None,
    fixed_mpp: Annotated[
        float | None, typer.Option("--fixed-mpp", help="µm per pixel, where the file is wrong.")
    ] = None,
    moving_mpp: Annotated[
        float | None, typer.Option("--moving-mpp", help="µm per pixel, where the file is wrong.")
    ] = None,
    write_slide: Annotated[
        bool, typer.Option("--write-slide", help="Also write the warped moving slide.")
    ] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave out report.html.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Align a moving slide to a fixed one, whatever their stains, rotation and flip.

    DIR receives transform.h5 (ITK, fixed to moving), registration.json (status, stages, predicted
    error) and report.html. When no alignment can be verified, the exit code is 3 and
    registration.json says why. When DIR already holds the result of the same inputs and settings,
    nothing is done.

    \b
    Example:
        stainbridge register --fixed he.svs --moving ki67.svs --out result
        stainbridge register --fixed he.svs --moving ki67.svs --out result --preset accurate \\
            --write-slide
        stainbridge register --fixed he.svs --moving restained.svs --out result --tiles 8192
        stainbridge register --fixed he.svs --moving ki67.svs --out result --translator he-to-ki67
    """
    job = RegisterJob(
        fixed=fixed,
        moving=moving,
        out=out,
        preset=preset,
        pipeline=pipeline,
        device=device,
        threads=threads,
        seed=seed,
        init=init,
        fixed_landmarks=fixed_landmarks,
        moving_landmarks=moving_landmarks,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        transform=transform,
        allow_flip=not no_flip,
        max_rotation_deg=max_rotation_deg,
        affine_weights=affine_weights,
        deformable_weights=deformable_weights,
        sbr=sbr,
        sar=sar,
        tune=tune,
        translator=translator,
        translate=translate,
        reverse_translator=reverse_translator,
        tiles_px=tiles_px,
        fixed_mpp=fixed_mpp,
        moving_mpp=moving_mpp,
        write_slide=write_slide,
        report=not no_report,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(settle_at_progress(progress), say)
    if json:
        print_json(outcome.record)
    else:
        print(summary(outcome))
    return RegistrationError.exit_code if outcome.status == "failed" else 0


def summary(outcome: RegisterOutcome) -> str:
    """Return the outcome in a few lines for people."""
    line = f"{outcome.status} after {outcome.seconds:.1f} s"
    if outcome.reason:
        line += f": {outcome.reason}"
    lines = [line]
    stages = outcome.record.get("stages", [])
    lines += [f"note: {stage['note']}" for stage in stages[:1] if stage["note"]]
    lines += [
        f"note: {stage['name']} was not used: {stage['note']}"
        for stage in stages
        if stage["name"] in TRAINED and not stage["accepted"]
    ]
    if outcome.status != "failed":
        lines.append(_format_error(outcome))
    report = outcome.folder / REPORT
    if outcome.status != "ok" and report.is_file():
        lines.append(f"look at {report}: it shows where, and what helps")
    return "\n".join([*lines, f"written: {outcome.folder}"])


def _format_error(outcome: RegisterOutcome) -> str:
    if math.isfinite(outcome.predicted_tissue_rtre):
        share, bound = outcome.predicted_tissue_rtre, outcome.bound_tissue_rtre
        whole = "tissue's diagonal"
    else:
        share, bound = outcome.predicted_rtre, outcome.bound_rtre
        whole = "slide's diagonal"
    line = f"expected error {share:.2%} of the {whole}"
    if outcome.predicted_um is not None:
        line = f"expected error {outcome.predicted_um:.1f} µm, {share:.2%} of the {whole}"
    if math.isfinite(bound):
        line += f"; nine of ten like it below {bound:.2%}"
    return line
