"""What happens beside the steps of a run: measuring, logging, saving."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stainbridge.learn.weight_average import WeightAverage
from stainbridge.learn.checkpoint import Checkpoint, save_checkpoint, save_weights
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.training_log import TrainingLog
from stainbridge.learn.task import Task
from stainbridge.learn.weights import read_weights

LAST_FILE, BEST_FILE = "last.safetensors", "best.safetensors"
#: Held-out samples in a picture.
SHOWN_SAMPLES = 4


@dataclass
class _Window:
    """Sums of the numbers since the last row."""

    steps: int = 0
    since: float = field(default_factory=time.perf_counter)
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, numbers: Mapping[str, float]) -> None:
        self.steps += 1
        for name, number in numbers.items():
            self.sums[name] += number

    def row(self) -> dict[str, float]:
        """Means over the window, and the mean duration of a step."""
        means = {name: total / self.steps for name, total in self.sums.items()}
        return {**means, "step_s": (time.perf_counter() - self.since) / self.steps}


class Checkpointer:
    """Measures a task on `held` batches, records, and saves, as often as `config` says.

    A run that is gone on with has its average of weights from the folder's last state.
    """

    def __init__(
        self,
        task: Task[Any],
        held: list[Any],
        config: TrainConfig,
        folder: Path,
        record: TrainingLog,
        place: Checkpoint,
    ) -> None:
        self._task, self._held, self._config = task, held, config
        self._folder, self._record, self._place = folder, record, place
        self._window = _Window()
        self._average = WeightAverage(task.networks, config.average)
        if place.step and config.average:
            self._average.put(read_weights(folder / LAST_FILE))

    def after(self, numbers: Mapping[str, float]) -> None:
        """Note the numbers of a step that is done, and do what is due."""
        step, config = self._place.step, self._config
        self._window.add(numbers)
        self._average.update(step)
        due = {} if step % config.validate_every and step != config.steps else self.measured()
        if due or step % config.log_every == 0 or step == config.steps:
            self._record.row(step, {**self._window.row(), **due})
            self._window = _Window()
        if step % config.picture_every == 0 or step == config.steps:
            self.picture()
        if step % config.save_every == 0:
            self.save()

    def begin(self) -> None:
        """Measure and show what the untrained networks do."""
        self._record.row(self._place.step, self.measured())
        self.picture()

    def measured(self) -> dict[str, float]:
        """Means over the held-out batches; the best yet leaves its weights."""
        with self._evaluated():
            measures = [self._task.measure(batch) for batch in self._held]
            means = {
                name: sum(measure[name] for measure in measures) / len(measures)
                for name in measures[0]
            }
            score = means[self._task.best_by]
            if self._place.best is None or score < self._place.best:
                self._place.best = score
                save_weights(self._folder / BEST_FILE, self._task, self._place)
        return {f"held_{name}": mean for name, mean in means.items()}

    def picture(self) -> None:
        """Record the task's picture of the first held-out batches, always the same."""
        with self._evaluated():
            shown = self._held[: -(-SHOWN_SAMPLES // self._config.batch)]
            self._record.picture(
                self._place.step, stack_pictures([self._task.picture(batch) for batch in shown])
            )

    def save_checkpoint(self) -> None:
        """Write the whole state."""
        save_checkpoint(self._folder / LAST_FILE, self._task, self._place, self._average.tensors)

    @contextmanager
    def _evaluated(self) -> Iterator[None]:
        """Networks as they are used: in eval mode, with averaged weights where there are any."""
        for network in self._task.networks.values():
            network.eval()
        with torch.no_grad(), self._average.applied():
            yield


def stack_pictures(pictures: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Pictures (H, W, 3) below each other; narrower ones are white at the right."""
    width = max(picture.shape[1] for picture in pictures)
    room = [((0, 0), (0, width - picture.shape[1]), (0, 0)) for picture in pictures]
    return np.concatenate(
        [np.pad(p, r, constant_values=255) for p, r in zip(pictures, room, strict=True)]
    )
