"""What every training job has in common: its fields, and how it runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from stainbridge.compute import DeviceChoice
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.jobs.training.run_folder import GENERATED, RunFolder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import MAX_STEPS, Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task

SettingsT = TypeVar("SettingsT")
TrainingPresetChoice: TypeAlias = Literal["small", "paper"]


@dataclass(frozen=True)
class TrainOutcome:
    """What a training left behind."""

    folder: Path
    """The folder of the run."""
    steps: int
    """Steps that the run has made in all."""
    best_measure: float | None
    """The best validation measure; None before the first validation."""
    seconds: float
    """How long the job took."""
    is_first_process: bool
    """Whether this is the process that wrote, of several that trained together."""


@dataclass(frozen=True, kw_only=True)
class TrainJob(ABC, Generic[SettingsT]):
    """A training run as one request. A job with `resume` continues the run in `out`.

    Paths are used as they are given. With several `devices` the command runs once in each process.
    """

    command: ClassVar[str]
    earlier_phase: ClassVar[str] = ""
    """Sub-folder of a run that is trained first; "" for none."""

    out: Path
    """The folder of the run."""
    data: str | None = None
    """The data to train on: a path, or "generated"; None is "generated"."""
    preset: TrainingPresetChoice | None = None
    """"small" for two CPU cores, "paper" as published; None is "small"."""
    config: Path | None = None
    """A YAML file of settings that replace the preset's."""
    steps: Annotated[int | None, Within(1, MAX_STEPS)] = None
    """Steps in all, those of an interrupted run included."""
    resume: bool = False
    """Continue the run in `out`, with its settings; begin it where there is none yet."""
    device: DeviceChoice | None = None
    """Where to compute; None is "auto"."""
    devices: Annotated[int | None, Within(1, 4096)] = None
    """How many GPUs, or processes on the CPU."""
    workers: Annotated[int | None, Within(0, 256)] = None
    """Processes that prepare samples."""
    seed: Seed | None = None
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(self, progress: Progress = ignore_progress, note: Note = ignore_note) -> TrainOutcome:
        """Train, and return what was left in `out`.

        Interrupted, it saves the run, notes how to continue and raises `KeyboardInterrupt`; the
        same job with `resume` continues it. Raises `InputError` for a folder that
        does not fit, and for settings or data that cannot be used.
        """
        began = time.perf_counter()
        folder = RunFolder(self.out, self.command, self.resume, self.earlier_phase)
        folder.check(self._inputs(), self._options(), self._defaults())
        kind = self._settings_type()
        fields = self._train_fields()
        settings, data = folder.plan(kind, self._make_preset, self.data, self.config, fields)
        settings = self._fit_to_steps(settings)
        told = note if folder.is_first_process else ignore_note
        with (
            folder.claim(),
            _say_how_to_resume(folder, told),
            self._open_data(settings, data, told) as samples,
        ):
            checkpoint = folder.train(
                partial(self._make_task, settings, samples),
                samples,
                settings,
                data,
                self._options(),
                self._report(settings, progress),
                prepare=partial(self._prepare, settings, samples, data, progress),
                finish=partial(self._finish, settings, data),
            )
        return TrainOutcome(
            folder=self.out,
            steps=checkpoint.step,
            best_measure=checkpoint.best,
            seconds=time.perf_counter() - began,
            is_first_process=folder.is_first_process,
        )

    @abstractmethod
    def _settings_type(self) -> type[SettingsT]:
        """Return the class of the run's settings."""

    @abstractmethod
    def _make_preset(self) -> SettingsT:
        """Return the settings of a new run before the config file and `train` options."""

    @abstractmethod
    def _open_data(
        self, settings: SettingsT, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        """Open the samples to train and validate on."""

    @abstractmethod
    def _make_task(self, settings: SettingsT, samples: TrainingData) -> Task[Any]:
        """Return what is trained on the samples, untrained."""

    def _fit_to_steps(self, settings: SettingsT) -> SettingsT:
        """Return settings whose schedule fits the number of steps asked for."""
        return settings

    def _prepare(
        self, settings: SettingsT, samples: TrainingData, data: str, progress: Progress
    ) -> None:
        """Do what must be done in the folder of the run before it trains."""

    def _report(
        self,
        settings: SettingsT,  # noqa: ARG002  # of kinds that say more
        progress: Progress,
    ) -> Progress:
        """Return the callback that is told of the run's steps."""
        return progress

    def _finish(self, settings: SettingsT, data: str) -> None:
        """Write what a run has beside its weights, also when it was interrupted."""

    def _inputs(self) -> Inputs:
        """Return what the run reads."""
        paths = [] if self.data in (None, GENERATED) else [Path(self.data or "")]
        files = [path for path in paths if path.is_file()]
        folders = [path for path in paths if path.is_dir()]
        return Inputs(files=(*files, self.config), data_folders=tuple(folders))

    def _options(self) -> dict[str, Any]:
        """Return the options of the command by name; None is not given."""
        return {
            "data": self.data,
            "preset": self.preset,
            "config": self.config,
            **self._own_options(),
            **self._train_fields(),
        }

    def _own_options(self) -> Mapping[str, Any]:
        """Return the options that only this kind of training has."""
        return {}

    def _defaults(self) -> dict[str, Any]:
        """Return what options stand for that were not given, where that can be said."""
        return {"preset": "small"}

    def _train_fields(self) -> dict[str, Any]:
        """Return fields of the settings' `train`; None is not given."""
        return {
            "steps": self.steps,
            "device": self.device,
            "devices": self.devices,
            "workers": self.workers,
            "seed": self.seed,
        }


@contextmanager
def _say_how_to_resume(folder: RunFolder, note: Note) -> Iterator[None]:
    """Note, when a run is interrupted, what of it was saved and how to continue it."""
    try:
        yield
    except KeyboardInterrupt:
        steps = folder.count_saved_steps()
        if steps is None:
            note(f"nothing was saved in {folder.path} yet; the same command begins again")
        else:
            note(
                f"saved: {folder.path}, {steps} steps; the same command with --resume continues it"
            )
        raise
