"""A job whose process is killed when half of its pictures are written."""

from __future__ import annotations

import os
import signal

from stainbridge.jobs.pairs import PairsJob, PairsOutcome
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress


class KilledJob(PairsJob):
    """Leaves a picture and a thumbnail, and is gone."""

    def run(self, progress: Progress = ignore_progress, note: Note = ignore_note) -> PairsOutcome:
        for path in (
            self.out / "HE" / self.pair.split / f"{self.pair.id}_0_64.png",
            self.folder / "thumbs" / f"{self.pair.id}_0_64.jpg",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half of a set")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it is killed")
