"""A registration on disk: `registration.json` and `transform.h5` in one folder."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast, get_args

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.itk import itk_spacing
from stainbridge.geometry.summary import find_affine_part
from stainbridge.json_values import format_json
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.slides.slide import Slide
from stainbridge.whole import whole_file

#: The record of a result folder.
RECORD = "registration.json"
#: The transform of a result folder.
TRANSFORM = "transform.h5"


@dataclass(frozen=True)
class StoredRegistration:
    """A registration that was read from a folder."""

    registration: Registration
    """The registration."""
    fixed_path: Path | None
    """Where the fixed slide was then; None where that is not recorded."""
    moving_path: Path | None
    """Where the moving slide was then; None where that is not recorded."""
    record: dict[str, Any]
    """The whole record."""


def save_registration(
    registration: Registration,
    directory: Path,
    fixed: Slide | Path | str | None = None,
    moving: Slide | Path | str | None = None,
    *,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write `registration.json` and, unless it failed, `transform.h5` into a folder.

    The folder is made if need be. `fixed` and `moving` say where the slides are; `extra` adds
    entries to the record. Earlier files of these names are replaced. The record is removed first
    and written last, so that it never stands beside another run's transform. Raises `InputError`
    when the folder cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (RECORD, TRANSFORM):
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=directory) from error
    if registration.status != "failed":
        write_transform(directory / TRANSFORM, registration.transform)
    text = format_json(make_record(registration, fixed, moving) | (extra or {}))
    with whole_file(directory / RECORD) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load(directory: Path | str) -> Registration:
    """Load the registration that `Registration.save` or the command wrote.

    The transform comes from `transform.h5`; a failed registration loads as failed. Where the slides
    are is remembered. Raises `InputError` when files are missing, damaged or not ours.
    """
    return load_stored(directory).registration


def load_stored(directory: Path | str) -> StoredRegistration:
    """Load a registration with the paths of its slides and the whole record."""
    directory = Path(directory)
    stored = _read_record(directory)
    try:
        return _parse_record(stored, directory)
    except KeyError as error:
        raise InputError(
            "the record is not complete", where=directory / RECORD, expected=f"an entry {error}"
        ) from error
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "the record is damaged", where=directory / RECORD, got=error, remedy="register again"
        ) from error


def _parse_record(stored: dict[str, Any], directory: Path) -> StoredRegistration:
    fixed = _parse_frame(stored["fixed"], "fixed")
    moving = _parse_frame(stored["moving"], "moving")
    fixed_path = _parse_path(stored["fixed"])
    moving_path = _parse_path(stored["moving"])
    status = cast(RegistrationStatus, stored["status"])
    if status not in get_args(RegistrationStatus):
        raise ValueError(f"status {status!r}")
    solution = None
    if status != "failed":
        solution = read_transform(directory / TRANSFORM, fixed.space, moving.space)
    registration = Registration(
        fixed=fixed,
        moving=moving,
        status=status,
        reason=str(stored["reason"]),
        stages=tuple(_parse_stage(stage) for stage in stored["stages"]),
        seconds=float(stored["seconds"]),
        predicted_rtre=_parse_number(stored["predicted_rtre"]),
        bound_rtre=_parse_number(stored.get("bound_rtre")),
        evidence=_parse_evidence(stored.get("evidence")),
        seed=int(stored["seed"]),
        config=dict(stored["config"]),
        solution=solution,
        fixed_source=fixed_path,
        moving_source=moving_path,
    )
    return StoredRegistration(registration, fixed_path, moving_path, stored)


def make_record(
    registration: Registration,
    fixed: Slide | Path | str | None = None,
    moving: Slide | Path | str | None = None,
) -> dict[str, Any]:
    """Return what `registration.json` says of a registration.

    Numbers that are not finite are left as they are.
    """
    solution = registration.solution
    affine = None if solution is None else find_affine_part(solution)
    evidence = registration.evidence
    return {
        "status": registration.status,
        "reason": registration.reason,
        "predicted_rtre": registration.predicted_rtre,
        "predicted_um": registration.predicted_um,
        "bound_rtre": registration.bound_rtre,
        "evidence": None if evidence is None else asdict(evidence),
        "seconds": registration.seconds,
        "flip": None if affine is None else affine.flip,
        "rotation_deg": None if affine is None else affine.rotation_deg,
        "scale": None if affine is None else affine.scale,
        "transform": None if affine is None else TRANSFORM,
        "fixed": _slide_entry(registration.fixed, fixed),
        "moving": _slide_entry(registration.moving, moving),
        "stages": [{**asdict(stage), "score": stage.score_after} for stage in registration.stages],
        "seed": registration.seed,
        "config": registration.config,
        "version": version("stainbridge"),
    }


def _read_record(directory: Path) -> dict[str, Any]:
    path = directory / RECORD
    if not path.is_file():
        got = "no such folder" if not directory.is_dir() else "no registration.json in it"
        raise MissingFileError(
            "not a registration's folder",
            where=directory,
            got=got,
            remedy="run stainbridge register",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "the record is damaged", where=path, expected="JSON", remedy="register again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            "the record is damaged",
            where=path,
            expected="a JSON object",
            got=type(content).__name__,
        )
    return content


def _slide_entry(frame: Frame, slide: Slide | Path | str | None) -> dict[str, Any]:
    return {
        "path": None if slide is None else _location(slide),
        "name": frame.label,
        "width": frame.width,
        "height": frame.height,
        "mpp": list(frame.mpp),
        "calibrated": frame.calibrated,
        "bounds_px": list(slide.info.bounds_px) if isinstance(slide, Slide) else [0, 0],
        "itk_spacing": list(itk_spacing(frame)),
    }


def _location(slide: Slide | Path | str) -> str | None:
    """Return the absolute path of a slide's file; None for a slide that has none."""
    if not isinstance(slide, Slide):
        return str(Path(slide).absolute())
    path = Path(slide.info.path)
    return str(path.absolute()) if path.exists() else None


def _parse_path(entry: dict[str, Any]) -> Path | None:
    return Path(entry["path"]) if entry.get("path") else None


def _parse_frame(entry: dict[str, Any], side: str) -> Frame:
    x, y = entry["mpp"]
    size = int(entry["height"]), int(entry["width"])
    label = entry.get("name") or side
    return Space(label, *size, (float(x), float(y)), bool(entry["calibrated"])).frame


def _parse_stage(entry: dict[str, Any]) -> StageRecord:
    return StageRecord(
        name=str(entry["name"]),
        accepted=bool(entry["accepted"]),
        seconds=float(entry["seconds"]),
        score_before=_parse_number(entry["score_before"]),
        score_after=_parse_number(entry["score_after"]),
        note=str(entry.get("note", "")),
        config=dict(entry.get("config", {})),
    )


def _parse_evidence(entry: dict[str, float | None] | None) -> Evidence | None:
    """Return the evidence of a record; earlier versions wrote none."""
    return (
        None
        if entry is None
        else Evidence(**{name: _parse_number(value) for name, value in entry.items()})
    )


def _parse_number(value: float | None) -> float:
    """Return a number; null stands for one that was not finite."""
    return math.nan if value is None else float(value)
