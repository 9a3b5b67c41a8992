"""The one training loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
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
from stainbridge.learn.interrupt import BrokenOffError, Interrupts, catch_interrupts
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
    Interrupted, it finishes the step but no validation and no sample, saves `last.safetensors` and
    raises `KeyboardInterrupt`. The process's random states and thread count are as before
    afterwards. Raises `InputError` for data
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
        interrupts = stack.enter_context(catch_interrupts())
        checkpointer = None
        if fabric.is_global_zero:
            with suppress(BrokenOffError):
                samples = _make_validation(fabric, data, config, checkpoint, interrupts, progress)
                check_inputs(task.inputs(samples[0]))
                log = TrainingLog(folder, checkpoint.step if resume else NOTHING_LOGGED)
                stack.enter_context(log)
                checkpointer = _begin(
                    Checkpointer(task, samples, config, folder, log, checkpoint, interrupts),
                    resume=resume,
                )
        pace = Pace()
        while checkpoint.step < config.steps:
            micro_batches: list[Any] = []
            with suppress(BrokenOffError), interrupts.break_off():
                micro_batches = [
                    move_batch(next(batches), fabric.device, layout)
                    for _ in range(config.accumulate)
                ]
            if any_process(fabric, interrupts.has_come):
                break
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
        if interrupts.has_come:
            raise KeyboardInterrupt
    return checkpoint


def _make_validation(
    fabric: Fabric,
    data: TrainingData,
    config: TrainConfig,
    checkpoint: Checkpoint,
    interrupts: Interrupts,
    progress: Progress,
) -> list[Any]:
    """Return the validation batches on the device; raise `BrokenOffError` when interrupted."""
    share = min(1.0, checkpoint.step / max(1, config.steps))
    words = f"of {config.validation_samples} samples to validate on"
    progress(f"made 0 {words}", share)
    validation: list[Any] = []
    with closing(iterate_validation_batches(data.validation, config)) as batches:
        for _ in range(config.validation_batches):
            with interrupts.break_off():
                validation.append(move_batch(next(batches), fabric.device))
            made = min(len(validation) * config.batch, config.validation_samples)
            progress(f"made {made} {words}", share)
    return validation


def _begin(checkpointer: Checkpointer, *, resume: bool) -> Checkpointer:
    """Measure and save a run that begins, or do what an interruption left to a resumed one."""
    if resume:
        checkpointer.finish_interrupted_step()
    else:
        checkpointer.record_start()
    return checkpointer
