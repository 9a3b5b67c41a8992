"""What a cohort left in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stainbridge.cohort.folder import CASES, MARKERS, REQUEST, TIMES, CohortFolder
from stainbridge.cohort.page import PAGE
from stainbridge.cohort.progress import STATUS, CohortProgress
from stainbridge.cohort.table import TABLE, TIMINGS
from stainbridge.cohort.task import Finished

#: Files and folders of a cohort.
OUTPUTS = (REQUEST, STATUS, TABLE, TIMINGS, PAGE, CASES, MARKERS, TIMES)


@dataclass(frozen=True)
class CohortOutcome:
    """What became of a cohort."""

    folder: Path
    """Its folder."""
    cases: tuple[str, ...]
    """The cases, in the manifest's order."""
    progress: CohortProgress
    """The counts."""
    is_already_done: bool = False
    """Whether all of it was there already, of the same inputs and settings."""

    @property
    def succeeded(self) -> int:
        """Cases with a result of use."""
        return self.progress.statuses["ok"] + self.progress.statuses["fallback"]

    def list_failed(self) -> Iterator[Finished]:
        """Yield the cases that have no result, in the manifest's order."""
        folder = CohortFolder(self.folder)
        for case in self.cases:
            finished = folder.read_finished(case)
            if finished is not None and finished.status == "failed":
                yield finished
