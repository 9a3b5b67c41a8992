"""`stainbridge register`: two slides in, a folder with the transform, its record and a report out."""

from __future__ import annotations

import json as json_format
import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stainbridge.cli.output import Progress, print_json, progress_bar, say
from stainbridge.errors import InputError, RegistrationError

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.transform import Transform
    from stainbridge.registration.config import RegisterConfig
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide

Preset = Literal["fast", "default", "accurate"]
Device = Literal["auto", "cpu", "cuda"]


def register(
    fixed: Annotated[Path, typer.Option("--fixed", help="The slide that stays where it is.")],
    moving: Annotated[
        Path, typer.Option("--moving", help="The slide that is brought onto the fixed one.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder for the result.", metavar="DIR")],
    preset: Annotated[
        Preset | None, typer.Option("--preset", help="How much work to do.  [default: default]")
    ] = None,
    pipeline: Annotated[
        Path | None,
        typer.Option(
            "--pipeline", help="A configuration instead of a preset.", metavar="FILE.yaml"
        ),
    ] = None,
    device: Annotated[
        Device | None, typer.Option("--device", help="Where to compute.  [default: auto]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="CPU threads.  [default: all cores]", min=1)
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of every random choice.", min=0)
    ] = None,
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
        Path | None, typer.Option("--fixed-mask", help="Use tissue only where this is not 0.")
    ] = None,
    moving_mask: Annotated[
        Path | None, typer.Option("--moving-mask", help="Use tissue only where this is not 0.")
    ] = None,
    no_flip: Annotated[
        bool, typer.Option("--no-flip", help="The sections are not mirrored.")
    ] = False,
    max_rotation: Annotated[
        float | None,
        typer.Option(
            "--max-rotation",
            help="The sections are turned by no more.",
            metavar="DEG",
            min=0,
            max=180,
        ),
    ] = None,
    affine_weights: Annotated[
        str | None,
        typer.Option(
            "--affine-weights", help="Trained affine network: a file, a RUN or a name.", metavar="W"
        ),
    ] = None,
    deformable_weights: Annotated[
        str | None,
        typer.Option(
            "--deformable-weights", help="Trained deformable network: likewise.", metavar="W"
        ),
    ] = None,
    tiles: Annotated[
        int | None,
        typer.Option(
            "--tiles",
            help="At last refine in tiles, at so many pixels along the slide.",
            metavar="PX",
        ),
    ] = None,
    fixed_mpp: Annotated[
        float | None, typer.Option("--fixed-mpp", help="µm per pixel, when the file errs.")
    ] = None,
    moving_mpp: Annotated[
        float | None, typer.Option("--moving-mpp", help="µm per pixel, when the file errs.")
    ] = None,
    write_slide: Annotated[
        bool, typer.Option("--write-slide", help="Also write the warped moving slide.")
    ] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave out report.html.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Align a moving slide to a fixed one, whatever their stains, rotation and flip.

    DIR receives transform.h5 (ITK, fixed to moving), registration.json (status, stages, predicted
    error) and report.html. When no alignment can be verified the exit code is 3 and
    registration.json says why.

    \b
    Example:
        stainbridge register --fixed he.svs --moving ki67.svs --out result
        stainbridge register --fixed he.svs --moving ki67.svs --out result --preset accurate \\
            --write-slide
        stainbridge register --fixed he.svs --moving restained.svs --out result --tiles 8192
    """
    from stainbridge.cli.inputs import read_mask
    from stainbridge.cli.result_folder import result_folder
    from stainbridge.registration.config import TilesConfig
    from stainbridge.registration.pipeline import register_slides
    from stainbridge.registration.store import save
    from stainbridge.report.write import write_report
    from stainbridge.slides.open import open_slide

    config = _configuration(
        preset,
        pipeline,
        device=device,
        threads=threads,
        seed=seed,
        no_flip=no_flip,
        max_rotation_deg=max_rotation,
    )
    config = _with_networks(config, affine_weights, deformable_weights)
    if tiles is not None:
        config = replace(config, tiles=replace(config.tiles or TilesConfig(), longest_px=tiles))
    with ExitStack() as stack:
        fixed_slide = stack.enter_context(open_slide(fixed, mpp=fixed_mpp))
        moving_slide = stack.enter_context(open_slide(moving, mpp=moving_mpp))
        for path, slide in ((fixed, fixed_slide), (moving, moving_slide)):
            for warning in slide.info.warnings:
                say(f"warning: {path}: {warning}")
        start = _start(
            init, fixed_landmarks, moving_landmarks, fixed_slide.frame, moving_slide.frame
        )
        inside_fixed = read_mask(fixed_mask, fixed_slide.frame) if fixed_mask else None
        inside_moving = read_mask(moving_mask, moving_slide.frame) if moving_mask else None
        folder = stack.enter_context(result_folder(out, overwrite=overwrite))
        progress = stack.enter_context(progress_bar())
        registration = register_slides(
            fixed_slide,
            moving_slide,
            config,
            start=start,
            fixed_mask=inside_fixed,
            moving_mask=inside_moving,
            progress=progress,
        )
        save(registration, folder, fixed_slide, moving_slide)
        if not no_report:
            progress("report", 0.0)
            write_report(folder / "report.html", registration, fixed_slide, moving_slide)
        if write_slide and registration.status != "failed":
            _write_warped(folder / "warped.ome.tiff", registration, moving_slide, threads, progress)
        record = json_format.loads((folder / "registration.json").read_text(encoding="utf-8"))
    if json:
        print_json(record)
    else:
        print(summary(registration, out))
    return RegistrationError.exit_code if registration.status == "failed" else 0


def _configuration(
    preset: Preset | None, pipeline: Path | None, *, no_flip: bool, **given: Any
) -> RegisterConfig:
    """The preset's or the file's configuration with the given options put in; None means not given."""
    from stainbridge.registration.api import configure
    from stainbridge.registration.config import RegisterConfig

    if preset is not None and pipeline is not None:
        raise InputError("--preset and --pipeline exclude each other", remedy="leave one out")
    base = (
        RegisterConfig.preset(preset or "default")
        if pipeline is None
        else RegisterConfig.from_yaml(pipeline)
    )
    options = {name: value for name, value in given.items() if value is not None}
    return configure(base, **options, **({"allow_flip": False} if no_flip else {}))


def _with_networks(
    config: RegisterConfig, affine: str | None, deformable: str | None
) -> RegisterConfig:
    """The configuration with learned stages of these weights; what else it says of them stays."""
    from dataclasses import replace

    from stainbridge.registration.config import LearnedAffineConfig, LearnedFieldConfig

    if affine is not None:
        config = replace(
            config,
            learned_affine=replace(config.learned_affine or LearnedAffineConfig(), weights=affine),
        )
    if deformable is not None:
        field = replace(config.learned_field or LearnedFieldConfig(), weights=deformable)
        config = replace(config, learned_field=field)
    return config


def _start(
    init: Path | None,
    fixed_landmarks: Path | None,
    moving_landmarks: Path | None,
    fixed: Frame,
    moving: Frame,
) -> Transform | None:
    """The transform to start from, when one is given."""
    from stainbridge.cli.inputs import start_from_landmarks
    from stainbridge.geometry.files import read_transform

    if (fixed_landmarks is None) != (moving_landmarks is None):
        raise InputError(
            "landmarks are needed on both slides",
            remedy="give --fixed-landmarks and --moving-landmarks",
        )
    if init is not None and fixed_landmarks is not None:
        raise InputError("--init and landmarks exclude each other", remedy="leave one out")
    if init is not None:
        return read_transform(init, fixed.space, moving.space)
    if fixed_landmarks is not None and moving_landmarks is not None:
        return start_from_landmarks(fixed_landmarks, moving_landmarks, fixed, moving)
    return None


def _write_warped(
    path: Path, registration: Registration, moving: Slide, threads: int | None, progress: Progress
) -> None:
    from stainbridge.slides.writing.write import write_slide

    write_slide(
        registration.warp_slide(moving),
        path,
        threads=threads,
        progress=lambda done, total: progress("writing the warped slide", done / total),
    )


def summary(registration: Registration, out: Path) -> str:
    """The outcome in a few lines for people."""
    if registration.status == "failed":
        return f"failed after {registration.seconds:.1f} s: {registration.reason}\nwritten: {out}"
    lines = [f"{registration.status} after {registration.seconds:.1f} s"]
    if registration.reason:
        lines[0] += f": {registration.reason}"
    error = f"expected error {registration.predicted_rtre:.2%} of the diagonal"
    if registration.fixed.calibrated:
        error += f", {registration.predicted_um:.1f} µm"
    if math.isfinite(registration.bound_rtre):
        error += f"; nine of ten like it below {registration.bound_rtre:.2%}"
    return "\n".join([*lines, error, f"written: {out}"])
