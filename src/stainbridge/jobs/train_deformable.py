"""Train a deformable registration network."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from stainbridge.jobs.training.pairs import open_pairs, report_samples
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task
    from stainbridge.registration.training.config import DeformableTraining

if TYPE_CHECKING:
    DeformableNetwork: TypeAlias = str
else:  # the choices that the command line shows
    DeformableNetwork = Literal[*DEFORMABLE_NETWORKS]


@dataclass(frozen=True, kw_only=True)
class TrainDeformableJob(TrainJob["DeformableTraining"]):
    """Train a network that deforms one section onto another, roughly aligned one.

    `data` is a data set of pairs: a folder or a table.
    """

    command: ClassVar[str] = "train deformable"

    network: DeformableNetwork | None = None
    """Which network; None is "multiscale-fcn"."""

    def _settings_type(self) -> type[DeformableTraining]:
        from stainbridge.registration.training.config import DeformableTraining

        return DeformableTraining

    def _make_preset(self) -> DeformableTraining:
        return self._settings_type().preset(
            self.preset or "small", self.network or "multiscale-fcn"
        )

    def _open_data(
        self, settings: DeformableTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        return nullcontext(open_pairs(data, settings, self.out, note))

    def _report(self, settings: DeformableTraining, progress: Progress) -> Progress:
        return report_samples(settings, self.out, progress)

    def _make_task(
        self,
        settings: DeformableTraining,
        samples: TrainingData,  # noqa: ARG002  # networks depend on settings alone
    ) -> Task[Any]:
        from stainbridge.registration.training.task import DeformableTask

        return DeformableTask(settings)

    def _own_options(self) -> Mapping[str, Any]:
        return {"network": self.network}

    def _defaults(self) -> dict[str, Any]:
        return {**super()._defaults(), "network": "multiscale-fcn"}
