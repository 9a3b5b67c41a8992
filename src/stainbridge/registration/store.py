"""A registration on disk: `registration.json` and `transform.h5` in one folder."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast, get_args

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Transform
from stainbridge.registration.digest import PIECES_DIGEST, check_record, check_transform
from stainbridge.registration.pieces.record import PieceRecord
from stainbridge.registration.pieces.store import read_pieces
from stainbridge.registration.record import RECORD, TRANSFORM, read_record
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.registration.verdict.misfit import Misfit


@dataclass(frozen=True)
class StoredRegistration:
    """A registration that was read from a folder."""

    registration: Registration
    """The registration."""
    fixed_path: Path | None
    """Where the fixed slide was then; None where that is not recorded."""
    moving_path: Path | None
    """Where the moving slide was then; None where that is not recorded."""
    is_sealed: bool
    """Whether digests vouch for the files; records of earlier versions have none."""
    record: dict[str, Any]
    """The whole record."""


def load(directory: Path | str) -> Registration:
    """Load the registration that `Registration.save` or the command wrote.

    The transform comes from `transform.h5`; a failed registration loads as failed. Where the slides
    are is remembered.

    Args:
        directory: The folder.

    Returns:
        The registration, with the paths of its slides.

    Raises:
        InputError: Files that are missing, damaged or not ours.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy")
        >>> landmarks = {
        ...     "fixed_landmarks": pair.fixed_landmarks,
        ...     "moving_landmarks": pair.moving_landmarks,
        ... }
        >>> stainbridge.register(pair.fixed, pair.moving, "fast", **landmarks).save("result")
        >>> registration = stainbridge.load("result")
        >>> registration.status
        'ok'

    """
    return load_stored(directory).registration


def load_stored(directory: Path | str) -> StoredRegistration:
    """Load a registration with the paths of its slides and the whole record."""
    directory = Path(directory)
    stored = read_record(directory)
    is_sealed = check_record(stored, directory / RECORD)
    try:
        registration = _parse_record(stored)
    except KeyError as error:
        raise InputError(
            "the record is not complete", where=directory / RECORD, expected=f"an entry {error}"
        ) from error
    except InputError as error:
        raise error.within(directory / RECORD) from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            "the record is damaged",
            where=directory / RECORD,
            expected="the entries that stainbridge register writes",
            got=error if type(error) is ValueError else None,
            remedy="register again",
        ) from error
    if registration.status != "failed":
        spaces = registration.fixed.space, registration.moving.space
        path = directory / TRANSFORM
        is_whole = check_transform(stored, path)
        if stored.get(PIECES_DIGEST):
            solution: Transform = read_pieces(directory, *spaces, str(stored[PIECES_DIGEST]))
        else:
            solution = read_transform(path, *spaces, is_vouched_for=is_whole)
        registration = replace(registration, solution=solution)
    fixed_path, moving_path = _parse_path(stored["fixed"]), _parse_path(stored["moving"])
    return StoredRegistration(registration, fixed_path, moving_path, is_sealed, stored)


def _parse_record(stored: dict[str, Any]) -> Registration:
    """Return the registration of a record, without its transform."""
    fixed = _parse_frame(stored["fixed"], "fixed")
    moving = _parse_frame(stored["moving"], "moving")
    status = cast(RegistrationStatus, stored["status"])
    if status not in get_args(RegistrationStatus):
        raise ValueError(f"status {status!r}")
    return Registration(
        fixed=fixed,
        moving=moving,
        status=status,
        reason=str(stored["reason"]),
        stages=tuple(_parse_stage(stage) for stage in stored["stages"]),
        seconds=_parse_number(stored["seconds"]),
        predicted_rtre=_parse_number(stored["predicted_rtre"]),
        bound_rtre=_parse_number(stored.get("bound_rtre")),
        tissue_um=_parse_number(stored.get("tissue_um")),
        evidence=_parse_evidence(stored.get("evidence")),
        seed=int(stored["seed"]),
        config=dict(stored["config"]),
        pieces=tuple(_parse_piece(piece) for piece in stored.get("pieces", ())),
        misfit=_parse_misfit(stored.get("misfit")),
        fixed_source=_parse_path(stored["fixed"]),
        moving_source=_parse_path(stored["moving"]),
        fingerprints={
            side: str(stored[side]["file"]["fingerprint"])
            for side in ("fixed", "moving")
            if stored[side].get("file")
        },
    )


def _parse_piece(entry: dict[str, Any]) -> PieceRecord:
    values = {item.name: entry[item.name] for item in fields(PieceRecord) if item.name in entry}
    for name in ("share", "predicted_um", "bound_um", "diagonal_um", "rotation_deg"):
        values[name] = _parse_number(values.get(name))
    for name in ("box_px", "partner_box_px"):
        values[name] = None if values.get(name) is None else tuple(values[name])
    return PieceRecord(**values)


def _parse_misfit(entry: dict[str, Any] | None) -> Misfit | None:
    """Return the misfit of a record; earlier versions wrote none."""
    if entry is None:
        return None
    boxes = ((float(a), float(b), float(c), float(d)) for a, b, c, d in entry["boxes_px"])
    return Misfit(float(entry["share"]), tuple(boxes))


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
        seconds=_parse_number(entry["seconds"]),
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
