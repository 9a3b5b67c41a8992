"""Train the affine network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stainbridge.jobs.training.pairs import open_pairs, report_samples
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task
    from stainbridge.registration.training.config import AffineTraining


@dataclass(frozen=True, kw_only=True)
class TrainAffineJob(TrainJob["AffineTraining"]):
    """Train the network that aligns two sections roughly, in one pass.

    `data` is a data set of pairs: a folder or a table.
    """

    command: ClassVar[str] = "train affine"

    def _settings_type(self) -> type[AffineTraining]:
        from stainbridge.registration.training.config import AffineTraining

        return AffineTraining

    def _make_preset(self) -> AffineTraining:
        return self._settings_type().preset(self.preset or "small")

    def _open_data(
        self, settings: AffineTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        return nullcontext(open_pairs(data, settings, self.out, note))

    def _report(self, settings: AffineTraining, progress: Progress) -> Progress:
        return report_samples(settings, self.out, progress)

    def _make_task(
        self,
        settings: AffineTraining,
        samples: TrainingData,  # noqa: ARG002  # networks depend on settings alone
    ) -> Task[Any]:
        from stainbridge.registration.training.task import AffineTask

        return AffineTask(settings)
