"""The one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from stainbridge.learn.checkpoint import Place, resume
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.data import batches, check_inputs, held_batches, moved
from stainbridge.learn.devices import agreed, launched
from stainbridge.learn.interrupt import interruption
from stainbridge.learn.keeper import LAST, Keeper
from stainbridge.learn.record import Record
from stainbridge.learn.stepping import Stepper
from stainbridge.learn.task import Stream, Task
from stainbridge.progress import Progress, ignore_progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Data:
    """What is trained on, and what is measured on."""

    training: Stream
    held: Stream


def train(
    make_task: Callable[[], Task[Any]],
    data: Data,
    config: TrainConfig,
    folder: Path,
    *,
    go_on: bool = False,
    progress: Progress = ignore_progress,
) -> Place:
    """Train into `folder`, which exists, and return where the run ended.

    Leaves `last.safetensors` (complete: `go_on` continues it, on the CPU bit for bit as if it had
    not stopped), `best.safetensors` (the networks that measured best), `metrics.csv`, `pictures/`
    and TensorBoard's log. Interrupted, it finishes the step, saves `last.safetensors` and raises
    `KeyboardInterrupt`. Raises `InputError` for data that cannot be trained on, a checkpoint of
    something else, and a loss that is not finite.
    """
    fabric = launched(config)
    torch.manual_seed(config.seed)
    task = make_task()
    layout = torch.channels_last if config.channels_last else torch.preserve_format
    for network in task.networks.values():
        network.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]  # torch does not declare it
    stepper = Stepper(fabric, task)
    place = resume(folder / LAST, task) if go_on else Place()
    source = batches(
        data.training,
        config.batch,
        config.workers,
        place.position,
        fabric.global_rank,
        fabric.world_size,
    )
    with ExitStack() as stack:
        interrupted = stack.enter_context(interruption())
        keeper = stack.enter_context(
            _keeper(fabric, task, data, config, folder, place, go_on=go_on)
        )
        while place.step < config.steps and not agreed(fabric, interrupted()):
            micro = [moved(next(source), fabric.device, layout) for _ in range(config.accumulate)]
            numbers = stepper.step(micro, place.step)
            place.step += 1
            place.position += config.samples_per_step
            if keeper is not None:
                keeper.after(numbers)
                progress(_told(place, config, numbers), place.step / config.steps)
        if keeper is not None:
            keeper.save()
        if interrupted():
            raise KeyboardInterrupt
    return place


@contextmanager
def _keeper(
    fabric: Fabric,
    task: Task[Any],
    data: Data,
    config: TrainConfig,
    folder: Path,
    place: Place,
    *,
    go_on: bool,
) -> Iterator[Keeper | None]:
    """The first process's keeper, its data checked; None in the others."""
    if not fabric.is_global_zero:
        yield None
        return
    held = [moved(batch, fabric.device) for batch in held_batches(data.held, config)]
    check_inputs(task.inputs(held[0]))
    with Record(folder, place.step) as record:
        keeper = Keeper(task, held, config, folder, record, place)
        if not go_on:
            keeper.begin()
        yield keeper


def _told(place: Place, config: TrainConfig, numbers: Mapping[str, float]) -> str:
    name, number = next(iter(numbers.items()))
    best = "" if place.best is None else f", best {place.best:.4g}"
    return f"step {place.step} of {config.steps}, {name} {number:.4g}{best}"
