"""One training step: every optimiser in turn, from accumulated gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from stainbridge.errors import InputError
from stainbridge.learn.devices import iterate_parameters, average_gradients
from stainbridge.learn.task import Task, Update

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Stepper:
    """Takes steps of `task` on the device and in the precision of `fabric`."""

    def __init__(self, fabric: Fabric, task: Task[Any]) -> None:
        self._fabric, self._task = fabric, task
        # What Fabric wraps around an optimiser knows the precision; it has the optimiser's own
        # methods.
        self._optimisers: dict[str, Any] = {
            name: fabric.setup_optimizers(optimiser) for name, optimiser in task.optimisers.items()
        }
        self._rates = {
            name: [group["lr"] for group in optimiser.param_groups]
            for name, optimiser in task.optimisers.items()
        }

    def step(self, batches: list[Any], number: int) -> dict[str, float]:
        """Step `number`: each loss is lowered once, on the mean over `batches`. Returns the means
        of what is logged.

        Raises `InputError` at the first loss that is not finite, before it changes anything.
        """
        self._set_rates(number)
        for network in self._task.networks.values():
            network.train()
        numbers: dict[str, float] = defaultdict(float)
        for index, batch in enumerate(batches):
            for update in self._updates(batch):
                for name, value in {update.optimiser: update.loss, **update.metrics}.items():
                    numbers[name] += float(value.detach()) / len(batches)
                self._learn(update, number, len(batches), last=index == len(batches) - 1)
        return dict(numbers)

    def _set_rates(self, number: int) -> None:
        factor = self._task.rate(number)
        for name, optimiser in self._task.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def _updates(self, batch: Any) -> Iterator[Update]:
        """The task's losses, computed in mixed precision where that is asked for; what is done with
        them is not.
        """
        updates = self._task.updates(batch)
        while True:
            with self._fabric.autocast():
                update = next(updates, None)
            if update is None:
                return
            yield update

    def _learn(self, update: Update, number: int, of: int, *, last: bool) -> None:
        if not bool(torch.isfinite(update.loss)):
            raise InputError(
                f"the loss of '{update.optimiser}' is not finite",
                where=f"step {number + 1}",
                got=float(update.loss.detach()),
                remedy="lower the learning rate",
            )
        optimiser = self._task.optimisers[update.optimiser]
        # Only this optimiser's gradients: a generator's loss passes through a discriminator it must
        # not train.
        self._fabric.backward(update.loss / of, inputs=list(iterate_parameters(optimiser)))
        if last:
            average_gradients(self._fabric, optimiser)
            self._optimisers[update.optimiser].step()
            optimiser.zero_grad()
