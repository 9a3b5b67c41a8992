"""What happens between the steps of a run: validation, logging and saving."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stainbridge.learn.checkpoint import Checkpoint, save_checkpoint, save_weights
from stainbridge.learn.clock import StepClock
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.interrupt import BrokenOffError, Interrupts
from stainbridge.learn.task import Task
from stainbridge.learn.training_log import VALIDATION_PREFIX, TrainingLog
from stainbridge.learn.weight_average import WeightAverage
from stainbridge.learn.weights import BEST_FILE, LAST_FILE, read_weights

#: Validation samples in a picture.
SHOWN_SAMPLES = 4


class Checkpointer:
    """Validates a task, logs and saves, as often as `config` says.

    `validation` are batches on the task's device. A resumed run has its average of weights from the
    folder's last state. An interruption breaks off a validation, and nothing else.
    """

    def __init__(
        self,
        task: Task[Any],
        validation: list[Any],
        config: TrainConfig,
        folder: Path,
        log: TrainingLog,
        checkpoint: Checkpoint,
        interrupts: Interrupts,
    ) -> None:
        self._task = task
        self._validation = validation
        self._config = config
        self._folder = folder
        self._log = log
        self._checkpoint = checkpoint
        self._interrupts = interrupts
        self._clock = StepClock(checkpoint.unlogged_steps, dict(checkpoint.unlogged_sums))
        self._saved_s = time.monotonic()
        self._average = WeightAverage(task.networks, config.average)
        if checkpoint.step and config.average:
            self._average.restore(read_weights(folder / LAST_FILE))

    def record_start(self) -> None:
        """Measure and show the networks as they begin, and save the run at once.

        They are not the best of anything yet. Raises `BrokenOffError` before anything is saved.
        """
        self._log.add_row(self._checkpoint.step, self._name_measures(self._measure()))
        self.record_picture()
        self.save()

    def after_step(self, numbers: Mapping[str, float]) -> None:
        """Record the numbers of a step that has ended, and do what is due."""
        self._clock.add(numbers)
        self._average.update(self._checkpoint.step)
        self._finish_step()

    def finish_interrupted_step(self) -> None:
        """Do what was due after the last step where an interruption left it to this run."""
        if self._checkpoint.is_unmeasured:
            self._finish_step()

    def _finish_step(self) -> None:
        """Do what is due after a step; an interrupted validation is left to the resumed run."""
        measures: dict[str, float] = {}
        if self._is_due(self._config.validate_every):
            self._checkpoint.is_unmeasured = True
            with suppress(BrokenOffError):
                measures = self.validate()
                self._checkpoint.is_unmeasured = False
            if self._checkpoint.is_unmeasured:
                return
        if measures or self._is_due(self._config.log_every):
            self._log.add_row(self._checkpoint.step, {**self._clock.means(), **measures})
            self._clock = StepClock()
        if self._is_due(self._config.picture_every):
            self.record_picture()
        if self._checkpoint.step % self._config.save_every == 0 or self._is_overdue():
            self.save()

    def validate(self) -> dict[str, float]:
        """Return the means of the measures over the validation batches.

        The lowest selection measure so far leaves its weights as `best.safetensors`. Raises
        `BrokenOffError` before that changes anything.
        """
        means = self._measure()
        score = means[self._task.selection_measure]
        if self._checkpoint.best is None or score < self._checkpoint.best:
            self._checkpoint.best = score
            with self._evaluation_mode():
                save_weights(self._folder / BEST_FILE, self._task, self._checkpoint)
        return self._name_measures(means)

    def _measure(self) -> dict[str, float]:
        """Return the mean of each measure over the validation batches."""
        measures = []
        with self._evaluation_mode():
            for batch in self._validation:
                with self._interrupts.break_off():
                    measures.append(self._task.measure(batch))
        return {
            name: sum(measure[name] for measure in measures) / len(measures) for name in measures[0]
        }

    def _name_measures(self, means: Mapping[str, float]) -> dict[str, float]:
        return {f"{VALIDATION_PREFIX}{name}": mean for name, mean in means.items()}

    def record_picture(self) -> None:
        """Log the task's picture of the first validation batches, always the same ones."""
        with self._evaluation_mode():
            shown = self._validation[: -(-SHOWN_SAMPLES // self._config.batch)]
            pictures = [self._task.picture(batch) for batch in shown]
            self._log.add_picture(self._checkpoint.step, stack_pictures(pictures))

    def save(self) -> None:
        """Write the whole state."""
        self._checkpoint.unlogged_steps = self._clock.steps
        self._checkpoint.unlogged_sums = dict(self._clock.sums)
        save_checkpoint(
            self._folder / LAST_FILE, self._task, self._checkpoint, self._average.tensors
        )
        self._saved_s = time.monotonic()

    def _is_overdue(self) -> bool:
        """Return whether the last checkpoint is older than a run may lose."""
        return time.monotonic() - self._saved_s >= self._config.save_every_s

    def _is_due(self, every: int) -> bool:
        """Return whether something is due that happens every so many steps and after the last."""
        return self._checkpoint.step % every == 0 or self._checkpoint.step == self._config.steps

    @contextmanager
    def _evaluation_mode(self) -> Iterator[None]:
        """Have the networks as they are used: in eval mode, with averaged weights if any."""
        for network in self._task.networks.values():
            network.eval()
        with torch.no_grad(), self._average.apply():
            yield


def stack_pictures(pictures: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return pictures (H, W, 3) below each other; narrower ones are white at the right."""
    width = max(picture.shape[1] for picture in pictures)
    margins = [((0, 0), (0, width - picture.shape[1]), (0, 0)) for picture in pictures]
    return np.concatenate(
        [
            np.pad(picture, margin, constant_values=255)
            for picture, margin in zip(pictures, margins, strict=True)
        ]
    )
