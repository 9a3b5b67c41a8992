"""What happens beside the steps of a run: measuring, logging, saving."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stainbridge.learn.checkpoint import Place, save, save_weights
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.record import Record
from stainbridge.learn.task import Task

LAST, BEST = "last.safetensors", "best.safetensors"


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


class Keeper:
    """Measures a task on `held` batches, records, and saves, as often as `config` says."""

    def __init__(
        self, task: Task[Any], held: list[Any], config: TrainConfig, folder: Path, record: Record, place: Place
    ) -> None:
        self._task, self._held, self._config = task, held, config
        self._folder, self._record, self._place = folder, record, place
        self._window = _Window()

    def after(self, numbers: Mapping[str, float]) -> None:
        """Note the numbers of a step that is done, and do what is due."""
        step, config = self._place.step, self._config
        self._window.add(numbers)
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
        self._evaluate()
        with torch.no_grad():
            measures = [self._task.measure(batch) for batch in self._held]
        means = {name: sum(measure[name] for measure in measures) / len(measures) for name in measures[0]}
        score = means[self._task.best_by]
        if self._place.best is None or score < self._place.best:
            self._place.best = score
            save_weights(self._folder / BEST, self._task, self._place)
        return {f"held_{name}": mean for name, mean in means.items()}

    def picture(self) -> None:
        """Record the task's picture of the first held-out batch."""
        self._evaluate()
        with torch.no_grad():
            self._record.picture(self._place.step, self._task.picture(self._held[0]))

    def save(self) -> None:
        """Write the whole state."""
        save(self._folder / LAST, self._task, self._place)

    def _evaluate(self) -> None:
        for network in self._task.networks.values():
            network.eval()
