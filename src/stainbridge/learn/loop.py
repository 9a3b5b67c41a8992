"""The one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from stainbridge.learn.checkpoint import Checkpoint, load_checkpoint
from stainbridge.learn.checkpointer import Checkpointer
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.data import (
    check_inputs,
    iterate_batches,
    iterate_validation_batches,
    move_batch,
)
from stainbridge.learn.devices import any_process, launch_fabric
from stainbridge.learn.global_state import preserve_global_state
from stainbridge.learn.interrupt import catch_interrupts
from stainbridge.learn.pace import Pace, describe_step
from stainbridge.learn.stepper import Stepper
from stainbridge.learn.task import Stream, Task
from stainbridge.learn.training_log import TrainingLog
from stainbridge.learn.weights import LAST_FILE
from stainbridge.progress import Progress, ignore_progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: The last step in the log of a run that begins.
NOTHING_LOGGED = -1


@dataclass(frozen=True)
class TrainingData:
    """The samples of a run."""

    training: Stream
    """Samples to train on."""
    validation: Stream
    """Samples to validate on."""


def train(
    make_task: Callable[[], Task[Any]],
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: Progress = ignore_progress,
) -> Checkpoint:
    """Train into `folder`, which exists, and return how far the run has come.

    Leaves `last.safetensors` (complete; on the CPU `resume` continues it bit for bit as if it had
    not stopped), `best.safetensors` (the networks of the best validation, from the first one on),
    `metrics.csv`, `pictures/` and TensorBoard's log. A run is saved before its first step.
    Interrupted, it finishes the step, saves `last.safetensors` and raises `KeyboardInterrupt`. The
    process's random states and thread count are as before afterwards. Raises `InputError` for data
    that cannot be trained on, a checkpoint of something else, and a loss that is not finite.
    """
    with preserve_global_state():
        return _train(make_task, data, config, folder, resume, progress)


def _train(
    make_task: Callable[[], Task[Any]],
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    resume: bool,
    progress: Progress,
) -> Checkpoint:
    fabric = launch_fabric(config)
    torch.manual_seed(config.seed)
    task = make_task()
    layout = torch.channels_last if config.channels_last else torch.preserve_format
    for network in task.networks.values():
        network.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]  # undeclared
    stepper = Stepper(fabric, task)
    checkpoint = load_checkpoint(folder / LAST_FILE, task) if resume else Checkpoint()
    batches = iterate_batches(
        data.training,
        config.batch,
        config.workers,
        checkpoint.position,
        fabric.global_rank,
        fabric.world_size,
    )
    with ExitStack() as stack:
        is_interrupted = stack.enter_context(catch_interrupts())
        checkpointer = stack.enter_context(
            _open_checkpointer(
                fabric, task, data, config, folder, checkpoint, resume=resume, progress=progress
            )
        )
        pace = Pace()
        while checkpoint.step < config.steps and not any_process(fabric, is_interrupted()):
            micro_batches = [
                move_batch(next(batches), fabric.device, layout) for _ in range(config.accumulate)
            ]
            numbers = stepper.step(micro_batches, checkpoint.step)
            checkpoint.step += 1
            checkpoint.position += config.samples_per_step
            if checkpointer is not None:
                checkpointer.after_step(numbers)
                pace.add_step()
                text = describe_step(checkpoint, config.steps, numbers, pace)
                progress(text, checkpoint.step / config.steps)
        if checkpointer is not None:
            checkpointer.save()
        if is_interrupted():
            raise KeyboardInterrupt
    return checkpoint


@contextmanager
def _open_checkpointer(
    fabric: Fabric,
    task: Task[Any],
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    checkpoint: Checkpoint,
    *,
    resume: bool,
    progress: Progress,
) -> Iterator[Checkpointer | None]:
    """Provide the first process's checkpointer, its data checked; None in the others."""
    if not fabric.is_global_zero:
        yield None
        return
    share = min(1.0, checkpoint.step / max(1, config.steps))
    words = f"of {config.validation_samples} samples to validate on"
    progress(f"made 0 {words}", share)
    validation = []
    for batch in iterate_validation_batches(data.validation, config):
        validation.append(move_batch(batch, fabric.device))
        made = min(len(validation) * config.batch, config.validation_samples)
        progress(f"made {made} {words}", share)
    check_inputs(task.inputs(validation[0]))
    with TrainingLog(folder, checkpoint.step if resume else NOTHING_LOGGED) as log:
        checkpointer = Checkpointer(task, validation, config, folder, log, checkpoint)
        if not resume:
            checkpointer.record_start()
        yield checkpointer
