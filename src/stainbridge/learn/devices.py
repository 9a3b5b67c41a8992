"""Where a run computes: one device or several processes, in full or mixed precision (Lightning
Fabric).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.learn.config import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def launch_fabric(config: TrainConfig) -> Fabric:
    """Lightning Fabric with its processes started: with several devices the command runs once in
    each.

    Raises `InputError` for devices that are not there, `MissingExtraError` without
    lightning-fabric.
    """
    if config.device == "cuda" and torch.cuda.device_count() < config.devices:
        raise InputError(
            "not so many GPUs here", expected=torch.cuda.device_count(), got=config.devices
        )
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("training", "lightning-fabric", "train") from None
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # advice about cores and launchers, which is not this program's to give
        fabric = Fabric(
            accelerator=config.device,
            devices=config.devices,
            strategy="ddp" if config.devices > 1 else "auto",
            precision=_PRECISIONS[config.precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric


def average_gradients(fabric: Fabric, optimiser: Optimizer) -> None:
    """Average the gradients that `optimiser` will use over all processes, once a step.

    Not by wrapping networks: a task may then call its networks how often and in whatever order it
    likes.
    """
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in iterate_parameters(optimiser) if p.grad is not None]
    mean = fabric.all_reduce(
        torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean"
    )
    assert isinstance(mean, torch.Tensor)
    for gradient, part in zip(
        gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


def any_process(fabric: Fabric, wish: bool) -> bool:
    """Whether any process wishes it, so that all of them do the same."""
    if fabric.world_size == 1:
        return wish
    total = fabric.all_reduce(torch.tensor(float(wish), device=fabric.device), reduce_op="sum")
    assert isinstance(total, torch.Tensor)
    return bool(total > 0)


def iterate_parameters(optimiser: Optimizer) -> Iterable[torch.Tensor]:
    """Everything the optimiser changes."""
    return (parameter for group in optimiser.param_groups for parameter in group["params"])
