"""The table of trials: a line for each registration, what it said of itself, and its evidence."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import RegistrationStatus

#: The first letters of a real pair's name tell its tissue.
TISSUE_LETTERS = 7
#: The columns of evidence.
EVIDENCE = tuple(field.name for field in fields(Evidence))


@dataclass(frozen=True)
class TrialRow:
    """One registration: its error, and what it said of itself."""

    key: str
    """The name of the trial."""
    kind: str
    """What was done to the slides."""
    preset: str
    """The preset that registered them."""
    error: float
    """Largest median error of a piece or band ÷ the tissue's diagonal; 1 without any truth."""
    misplaced: float
    """Share of the landmarks that are farther off than is tolerable; not a number in old rows."""
    status: RegistrationStatus
    """`ok`, `fallback` or `failed`."""
    predicted: float
    """Expected error in the same unit."""
    bound: float
    """Bound in the same unit."""
    pixel: float
    """A pixel of the fixed slide in the same unit."""
    joined: int
    """Transforms of pieces that the result joins; the evidence is of a result of one."""
    is_doubted: bool
    """Whether it is not `ok` for another reason than its evidence."""
    seconds: float
    """CPU seconds."""
    evidence: Evidence | None
    """The evidence; None where there was no transform."""

    @property
    def source(self) -> str:
        """`generated`, `real` or `drawn`."""
        return self.key.split("/")[0]

    @property
    def block(self) -> str:
        """The block of tissue that the slides were cut from."""
        source, pair, *_ = self.key.split("/")
        return f"{source}/{pair[:TISSUE_LETTERS] if source == 'real' else pair}"


PLAIN = tuple(field.name for field in fields(TrialRow) if field.name != "evidence")


def append_row(path: Path, row: TrialRow) -> None:
    """Add a row to a table, with the evidence in columns of its own."""
    values = asdict(row)
    values |= values.pop("evidence") or {}
    values["is_doubted"] = int(row.is_doubted)
    values = {
        name: float(f"{value:.5g}") if isinstance(value, float) else value
        for name, value in values.items()
    }
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, (*PLAIN, *EVIDENCE))
        if is_new:
            writer.writeheader()
        writer.writerow(values)


def read_rows(path: Path) -> list[TrialRow]:
    """Read a table."""
    with path.open(newline="") as file:
        return [_parse_row(entry) for entry in csv.DictReader(file)]


def _parse_row(entry: dict[str, str]) -> TrialRow:
    evidence = None
    if entry["share"]:
        evidence = Evidence(**{name: float(entry[name]) for name in EVIDENCE})
    return TrialRow(
        key=entry["key"],
        kind=entry["kind"],
        preset=entry["preset"],
        error=float(entry["error"]),
        misplaced=float(entry.get("misplaced", "nan")),
        status=entry["status"],  # type: ignore[arg-type]
        predicted=float(entry["predicted"]),
        bound=float(entry["bound"]),
        pixel=float(entry["pixel"]),
        joined=int(entry["joined"]),
        is_doubted=entry["is_doubted"] == "1",
        seconds=float(entry["seconds"]),
        evidence=evidence,
    )
