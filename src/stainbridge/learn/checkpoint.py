"""A run on disk, complete enough to resume it as if it had never stopped; no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from stainbridge.errors import InputError
from stainbridge.learn.devices import iterate_parameters
from stainbridge.learn.task import Task
from stainbridge.learn.weights import (
    StoredWeights,
    collect_tensors,
    copy_weights,
    read_weights,
    write_weights,
)

#: What the names of optimisers' tensors begin with in a file.
OPTIMISERS_PREFIX = "optimisers"
#: What the names of random states begin with in a file.
RANDOM_STATE = "rng"
#: The header's key of a `Checkpoint`.
CHECKPOINT_KEY = "checkpoint"
#: The same key in files of version 0.1.0.
FORMER_CHECKPOINT_KEY = "place"


@dataclass
class Checkpoint:
    """How far a run has come."""

    step: int = 0
    """Steps done."""
    position: int = 0
    """Samples consumed."""
    best: float | None = None
    """The lowest selection measure of a validation; None before the first."""
    unlogged_steps: int = 0
    """Steps since the last row of the log."""
    unlogged_sums: dict[str, float] = field(default_factory=dict)
    """Sums of the numbers of these steps, by name, so that a resumed run logs the same means."""
    is_unmeasured: bool = False
    """Whether an interruption left the validation after the last step to the resumed run."""


def save_checkpoint(
    path: Path,
    task: Task[Any],
    checkpoint: Checkpoint,
    more_tensors: Mapping[str, Tensor] | None = None,
) -> None:
    """Write networks, optimisers, random state and how far the run has come, and `more_tensors`."""
    tensors = {**collect_tensors(task.networks), **(more_tensors or {})}
    groups: dict[str, Any] = {}
    for name, optimiser in task.optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for index, values in state["state"].items():
            tensors |= {
                f"{OPTIMISERS_PREFIX}.{name}.{index}.{key}": _require_tensor(key, value)
                for key, value in values.items()
            }
    tensors[f"{RANDOM_STATE}.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors[f"{RANDOM_STATE}.cuda"] = torch.cuda.get_rng_state()
    header = {**describe_task(task), CHECKPOINT_KEY: vars(checkpoint), "groups": groups}
    write_weights(path, tensors, header)


def load_checkpoint(path: Path, task: Task[Any]) -> Checkpoint:
    """Load a saved state into a task that was built in the same way, and torch's random state.

    Raises `InputError` for another task's, another architecture's or a truncated file, and for bare
    weights.
    """
    stored = read_weights(path)
    values = stored.header.get(CHECKPOINT_KEY, stored.header.get(FORMER_CHECKPOINT_KEY))
    if values is None:
        raise InputError(
            "weights alone cannot be resumed", where=path, expected="last.safetensors of a run"
        )
    check_task(stored, task.name)
    copy_weights(stored, task.networks)
    for name, optimiser in task.optimisers.items():
        _restore_optimiser(stored, name, optimiser)
    torch.set_rng_state(stored.tensors[f"{RANDOM_STATE}.cpu"])
    if torch.cuda.is_available() and f"{RANDOM_STATE}.cuda" in stored.tensors:
        torch.cuda.set_rng_state(stored.tensors[f"{RANDOM_STATE}.cuda"])
    return Checkpoint(**values)


def save_weights(
    path: Path, task: Task[Any], checkpoint: Checkpoint, dtype: torch.dtype | None = None
) -> None:
    """Write the networks alone, for use rather than for resuming."""
    tensors = collect_tensors(task.networks, dtype)
    header = {**describe_task(task), "step": checkpoint.step, "measure": checkpoint.best}
    write_weights(path, tensors, header)


def describe_task(task: Task[Any]) -> dict[str, Any]:
    """Return what a header says of the networks: task, settings and stainbridge's version."""
    return {"task": task.name, "settings": dict(task.settings()), "version": version("stainbridge")}


def check_task(stored: StoredWeights, task: str) -> None:
    """Raise `InputError` when the weights are another task's."""
    if stored.task != task:
        raise InputError(
            "weights of another architecture", where=stored.path, expected=task, got=stored.task
        )


def _require_tensor(key: str, value: Any) -> Tensor:
    # torch's optimisers hold tensors only
    if not isinstance(value, Tensor):
        raise TypeError(f"optimiser state {key} is no tensor")
    return value


def _restore_optimiser(stored: StoredWeights, name: str, optimiser: Optimizer) -> None:
    prefix = f"{OPTIMISERS_PREFIX}.{name}."
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in stored.tensors.items():
        if key.startswith(prefix):
            index, field = key.removeprefix(prefix).split(".")
            state.setdefault(int(index), {})[field] = tensor
    groups = [_with_tuples(group) for group in stored.header["groups"][name]]
    parameters = dict(enumerate(iterate_parameters(optimiser)))
    restored = {
        number: {key: _match_layout(tensor, parameters[number]) for key, tensor in values.items()}
        for number, values in state.items()
    }
    optimiser.load_state_dict({"state": restored, "param_groups": groups})


def _match_layout(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a parameter's state in the parameter's memory layout.

    Files are in torch's usual layout; a fused optimiser reads memory in order.
    """
    if not tensor.ndim or tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _with_tuples(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter group read from JSON, which has no tuples, with its tuples.

    The list of parameters alone is a list.
    """
    return {
        key: tuple(value) if isinstance(value, list) and key != "params" else value
        for key, value in group.items()
    }
