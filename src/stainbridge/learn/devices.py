"""Where a run computes: on one device or in several processes, in full or mixed precision."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from stainbridge.compute import choose_device, choose_precision
from stainbridge.errors import InputError, MissingExtraError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.global_state import FABRIC_LOGGER

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Lightning Fabric's names of the precisions.
FABRIC_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def launch_fabric(config: TrainConfig) -> Fabric:
    """Return Lightning Fabric with its processes started.

    With several devices the command runs once in each process. Raises `InputError` for devices that
    are missing, `MissingExtraError` without lightning-fabric.
    """
    if config.device == "cuda" and torch.cuda.device_count() < config.devices:
        raise InputError(
            "not so many GPUs here", expected=torch.cuda.device_count(), got=config.devices
        )
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("training", "lightning-fabric", "train") from None
    precision = choose_precision(config.precision, choose_device(config.device))
    logging.getLogger(FABRIC_LOGGER).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # advice about cores and launchers: the user of this program can do nothing about them
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=config.device,
            devices=config.devices,
            strategy="ddp" if config.devices > 1 else "auto",
            precision=FABRIC_PRECISIONS[precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric


def average_gradients(fabric: Fabric, optimiser: Optimizer) -> None:
    """Average the gradients that `optimiser` will use over all processes, once a step.

    Networks are not wrapped for this, so a task may call them as often and in any order it likes.
    """
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in iterate_parameters(optimiser) if p.grad is not None]
    mean = fabric.all_reduce(
        torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean"
    )
    assert isinstance(mean, torch.Tensor)
    means = torch.split(mean, [gradient.numel() for gradient in gradients])
    for gradient, averaged in zip(gradients, means, strict=True):
        gradient.copy_(averaged.view_as(gradient))


def any_process(fabric: Fabric, wish: bool) -> bool:
    """Return whether any process has the wish, so that all processes do the same."""
    if fabric.world_size == 1:
        return wish
    total = fabric.all_reduce(torch.tensor(float(wish), device=fabric.device), reduce_op="sum")
    assert isinstance(total, torch.Tensor)
    return bool(total > 0)


def iterate_parameters(optimiser: Optimizer) -> Iterator[torch.Tensor]:
    """Yield everything that the optimiser changes."""
    return (parameter for group in optimiser.param_groups for parameter in group["params"])
