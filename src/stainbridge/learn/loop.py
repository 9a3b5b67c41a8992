"""The one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from stainbridge.learn.checkpoint import Checkpoint, load_checkpoint
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.data import iterate_batches, check_inputs, load_validation_batches, move_batch
from stainbridge.learn.devices import any_process, launch_fabric
from stainbridge.learn.interrupt import catch_interrupts
from stainbridge.learn.checkpointer import LAST_FILE, Checkpointer
from stainbridge.learn.training_log import TrainingLog
from stainbridge.learn.stepper import Stepper
from stainbridge.learn.task import Stream, Task
from stainbridge.progress import Progress, ignore_progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class TrainingData:
    """What is trained on, and what is measured on."""

    training: Stream
    held: Stream


def train(
    make_task: Callable[[], Task[Any]],
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    *,
    go_on: bool = False,
    progress: Progress = ignore_progress,
) -> Checkpoint:
    """Train into `folder`, which exists, and return where the run ended.

    Leaves `last.safetensors` (complete: `go_on` continues it, on the CPU bit for bit as if it had
    not stopped), `best.safetensors` (the networks that measured best), `metrics.csv`, `pictures/`
    and TensorBoard's log. Interrupted, it finishes the step, saves `last.safetensors` and raises
    `KeyboardInterrupt`. Raises `InputError` for data that cannot be trained on, a checkpoint of
    something else, and a loss that is not finite.
    """
    fabric = launch_fabric(config)
    torch.manual_seed(config.seed)
    task = make_task()
    layout = torch.channels_last if config.channels_last else torch.preserve_format
    for network in task.networks.values():
        network.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]  # torch does not declare it
    stepper = Stepper(fabric, task)
    place = load_checkpoint(folder / LAST_FILE, task) if go_on else Checkpoint()
    source = iterate_batches(
        data.training,
        config.batch,
        config.workers,
        place.position,
        fabric.global_rank,
        fabric.world_size,
    )
    with ExitStack() as stack:
        interrupted = stack.enter_context(catch_interrupts())
        keeper = stack.enter_context(
            _keeper(fabric, task, data, config, folder, place, go_on=go_on)
        )
        while place.step < config.steps and not any_process(fabric, interrupted()):
            micro = [move_batch(next(source), fabric.device, layout) for _ in range(config.accumulate)]
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
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    place: Checkpoint,
    *,
    go_on: bool,
) -> Iterator[Checkpointer | None]:
    """The first process's keeper, its data checked; None in the others."""
    if not fabric.is_global_zero:
        yield None
        return
    held = [move_batch(batch, fabric.device) for batch in load_validation_batches(data.held, config)]
    check_inputs(task.inputs(held[0]))
    with TrainingLog(folder, place.step) as record:
        keeper = Checkpointer(task, held, config, folder, record, place)
        if not go_on:
            keeper.begin()
        yield keeper


def _told(place: Checkpoint, config: TrainConfig, numbers: Mapping[str, float]) -> str:
    name, number = next(iter(numbers.items()))
    best = "" if place.best is None else f", best {place.best:.4g}"
    return f"step {place.step} of {config.steps}, {name} {number:.4g}{best}"
