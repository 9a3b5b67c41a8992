"""One run of a benchmark: one method on one case from one start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stainbridge.evaluate.row import slug
from stainbridge.evaluate.starts import Start
from stainbridge.slides.case import Case

#: The run's process makes this file when the registration itself starts.
STARTED_FILE = "started"
#: In this file a process finds its run.
RUN_FILE = "run.pkl"


@dataclass(frozen=True, eq=False)
class Run:
    """What to run; it is pickled, and the case opens its slides in the process that runs it."""

    data_set: str
    """The name of the data set."""
    case: Case
    """The slides to register."""
    method: str
    """The name of the method."""
    start: Start
    """The slides as given, or the moving one disturbed."""
    root: Path | None = None
    """The folder of the data set, where it is known."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells runs apart."""
        return self.data_set, self.case.id, self.start.name, self.method

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return slug(self.key)
