"""Train a variant of Synth-by-Reg."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.jobs.training.run_folder import LAST, RunFolder
from stainbridge.jobs.training.slices import open_slices
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.joint.sbr.table import VARIANTS
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining
    from stainbridge.joint.sbr.stream import SliceStream
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task

if TYPE_CHECKING:
    SbrVariant: TypeAlias = str
else:  # the choices that the command line shows
    SbrVariant = Literal[*VARIANTS]

#: Sub-folder of a run that holds the network R where it was trained first.
REGISTRATION = "registration"


@dataclass(frozen=True, kw_only=True)
class TrainSbrJob(TrainJob["SbrTraining"]):
    """Train networks that register histology to another modality, slice by slice.

    `data` is a folder of paired slices. Variants that take a network R train it first, in the
    sub-folder "registration" of the run, unless a run of it is named.
    """

    command: ClassVar[str] = "train sbr"
    earlier_phase: ClassVar[str] = REGISTRATION

    variant: SbrVariant | None = None
    """Which variant; None is "sbr"."""
    registration: Path | None = None
    """The run of the variant "registration" that is trained through; None: trained first."""
    split: Path | None = None
    """A table of names and parts: slices of part "test" are left out; None: all are used."""

    def _settings_type(self) -> type[SbrTraining]:
        from stainbridge.joint.sbr.config import SbrTraining

        return SbrTraining

    def _make_preset(self) -> SbrTraining:
        from stainbridge.joint.sbr.table import load_variant

        name = self.variant or "sbr"
        settings = self._settings_type().preset(self.preset or "small", name)
        if self.registration is not None:
            if not load_variant(name).needs_registration:
                raise InputError(
                    f"the variant {name} takes no registration network",
                    where=self.registration,
                    remedy="leave --registration out",
                )
            settings = replace(settings, registration=str(self.registration.resolve()))
        if self.split is not None:
            settings = replace(settings, split=str(self.split.resolve()))
        return settings

    def _open_data(
        self, settings: SbrTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        return nullcontext(open_slices(data, settings, note))

    def _prepare(
        self, settings: SbrTraining, samples: TrainingData, data: str, progress: Progress
    ) -> None:
        """Train the network R first, where the run needs one of its own."""
        from stainbridge.joint.sbr.table import load_variant

        is_needed = load_variant(settings.variant).needs_registration and not settings.registration
        if not is_needed or (self.out / LAST).exists():
            return
        folder = self.out / REGISTRATION
        run = RunFolder(folder, self.command, resume=(folder / LAST).exists())
        own_settings = settings.of_registration()
        own_samples = _show_neighbours(samples)
        run.train(
            partial(self._make_task, own_settings, own_samples),
            own_samples,
            own_settings,
            data,
            self._options(),
            lambda text, fraction: progress(f"registration network, {text}", fraction),
        )

    def _make_task(self, settings: SbrTraining, samples: TrainingData) -> Task[Any]:
        from stainbridge.joint.sbr.model import load_registration
        from stainbridge.joint.sbr.table import load_variant
        from stainbridge.joint.sbr.task import StackFacts
        from stainbridge.registration.sections.views import MARGIN_SHARE

        stream = _as_slices(samples.training)
        stack = stream.stack
        variant = load_variant(settings.variant)
        registration = None
        if variant.needs_registration:
            run = Path(settings.registration) if settings.registration else self.out / REGISTRATION
            registration = load_registration(run)
        longest_px = round((1 + 2 * MARGIN_SHARE) * stack.tissue_px)
        facts = StackFacts(stack.mpp, longest_px, stack.calibrated, stack.classes, registration)
        task: Task[Any] = variant.make_task(settings, facts)
        return task

    def _inputs(self) -> Inputs:
        inputs = super()._inputs()
        return replace(inputs, files=(*inputs.files, self.split))

    def _own_options(self) -> Mapping[str, Any]:
        return {
            "variant": self.variant,
            "registration": self.registration,
            "split": self.split,
        }

    def _defaults(self) -> dict[str, Any]:
        return {**super()._defaults(), "variant": "sbr"}


def _as_slices(stream: Any) -> SliceStream:
    """Return the stream of slices that `open_slices` made."""
    slices: SliceStream = stream
    return slices


def _show_neighbours(samples: TrainingData) -> TrainingData:
    """Return the same slices as neighbours of one modality."""
    training = replace(_as_slices(samples.training), shows_neighbours=True)
    validation = replace(_as_slices(samples.validation), shows_neighbours=True)
    return replace(samples, training=training, validation=validation)
