"""What a registration left in its folder, and whether that answers a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.jobs.files.outputs import RESULT_FILES

if TYPE_CHECKING:
    from stainbridge.registration.config import RegisterConfig
    from stainbridge.registration.result import Registration

RECORD, TRANSFORM, REPORT, WARPED = RESULT_FILES
#: The entry of the record that says what was asked for.
REQUEST = "request"


@dataclass(frozen=True)
class RegisterOutcome:
    """What a registration left in its folder."""

    folder: Path
    """The folder of the result."""
    written: tuple[Path, ...]
    """The files of the result."""
    status: str
    """"ok", "fallback" or "failed"."""
    reason: str
    """Why the status is not "ok"; empty otherwise."""
    seconds: float
    """How long the registration itself took; nan where it is not recorded."""
    predicted_rtre: float
    """Expected median landmark error over the fixed slide's diagonal; nan when it failed."""
    bound_rtre: float
    """What nine of ten registrations like this one stay below; nan when it is not known."""
    predicted_um: float | None
    """The expected error in µm; None when the fixed slide has no pixel size."""
    predicted_tissue_rtre: float
    """The expected error over the tissue's diagonal; nan when it failed or is not known."""
    bound_tissue_rtre: float
    """What nine of ten registrations like this one stay below, over the tissue's diagonal."""
    record: dict[str, Any]
    """The whole record, as in registration.json."""
    is_already_done: bool = False
    """Whether the result was there already, of the same inputs and settings."""

    @classmethod
    def read(cls, folder: Path) -> RegisterOutcome:
        """Return the outcome whose files are in `folder`."""
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        is_calibrated = record["fixed"]["calibrated"]
        return cls(
            folder=folder,
            written=tuple(folder / name for name in RESULT_FILES if (folder / name).is_file()),
            status=record["status"],
            reason=record["reason"],
            seconds=_number(record["seconds"]),
            predicted_rtre=_number(record["predicted_rtre"]),
            bound_rtre=_number(record.get("bound_rtre")),
            predicted_um=_number(record.get("predicted_um")) if is_calibrated else None,
            predicted_tissue_rtre=_number(record.get("predicted_tissue_rtre")),
            bound_tissue_rtre=_number(record.get("bound_tissue_rtre")),
            record=record,
        )

    def load(self) -> Registration:
        """Return the registration itself."""
        from stainbridge.registration.store import load

        return load(self.folder)


def find_outcome(
    folder: Path, request: dict[str, Any], config: RegisterConfig
) -> RegisterOutcome | None:
    """Return the registration of this request, whatever else the folder lacks; None: another."""
    from stainbridge.json_values import to_json_values

    try:
        outcome = RegisterOutcome.read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no result, or a damaged one
    is_same = (
        outcome.record.get(REQUEST) == request
        and outcome.record.get("config") == to_json_values(config.to_dict())
        and outcome.record.get("version") == version("stainbridge")
        and (outcome.status == "failed" or (folder / TRANSFORM).is_file())
    )
    return outcome if is_same else None


def _number(value: float | None) -> float:
    """Return a number that the record has as null when it is not finite."""
    return float("nan") if value is None else float(value)
