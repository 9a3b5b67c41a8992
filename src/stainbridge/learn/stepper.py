"""One training step: every optimiser in turn, from accumulated gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from stainbridge.errors import InputError
from stainbridge.learn.devices import average_gradients, iterate_parameters
from stainbridge.learn.task import Task, Update

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Stepper:
    """Takes steps of `task` on the device and in the precision of `fabric`."""

    def __init__(self, fabric: Fabric, task: Task[Any]) -> None:
        self._fabric = fabric
        self._task = task
        # Fabric's wrapper of an optimiser knows the precision; it has the optimiser's own methods.
        self._optimisers: dict[str, Any] = {
            name: fabric.setup_optimizers(optimiser) for name, optimiser in task.optimisers.items()
        }
        self._initial_rates = {
            name: [group["lr"] for group in optimiser.param_groups]
            for name, optimiser in task.optimisers.items()
        }

    def step(self, batches: list[Any], number: int) -> dict[str, float]:
        """Lower each loss once, on the mean over `batches`, and return the means of what is logged.

        `number` counts steps from 0. Raises `InputError` at the first loss that is not finite,
        before it changes anything.
        """
        self._set_rates(number)
        for network in self._task.networks.values():
            network.train()
        means: dict[str, float] = defaultdict(float)
        for index, batch in enumerate(batches):
            is_last = index == len(batches) - 1
            for update in self._compute_updates(batch):
                for name, value in {update.optimiser: update.loss, **update.metrics}.items():
                    means[name] += float(value.detach()) / len(batches)
                self._apply_update(update, number, len(batches), is_last=is_last)
        return dict(means)

    def _set_rates(self, number: int) -> None:
        factor = self._task.rate(number)
        for name, optimiser in self._task.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._initial_rates[name], strict=True):
                group["lr"] = rate * factor

    def _compute_updates(self, batch: Any) -> Iterator[Update]:
        """Yield the task's losses, computed in mixed precision where that is asked for.

        What the caller does with a loss is not in mixed precision.
        """
        updates = self._task.updates(batch)
        while True:
            with self._fabric.autocast():
                update = next(updates, None)
            if update is None:
                return
            yield update

    def _apply_update(self, update: Update, number: int, count: int, *, is_last: bool) -> None:
        """Add the gradients of one of `count` batches; after the last, step the optimiser."""
        if not bool(torch.isfinite(update.loss)):
            raise InputError(
                f"the loss of '{update.optimiser}' is not finite",
                where=f"step {number + 1}",
                got=float(update.loss.detach()),
                remedy="lower the learning rate",
            )
        optimiser = self._task.optimisers[update.optimiser]
        # Only this optimiser's gradients: a generator's loss passes through a discriminator that it
        # must not train.
        self._fabric.backward(update.loss / count, inputs=list(iterate_parameters(optimiser)))
        if is_last:
            average_gradients(self._fabric, optimiser)
            self._optimisers[update.optimiser].step()
            optimiser.zero_grad()
