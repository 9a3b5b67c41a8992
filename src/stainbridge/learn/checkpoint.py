"""A run on disk, complete enough to go on as if it had never stopped; no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from stainbridge.errors import InputError
from stainbridge.learn.devices import iterate_parameters
from stainbridge.learn.task import Task
from stainbridge.learn.weights import StoredWeights, copy_weights, read_weights, collect_tensors, write_weights

OPTIMISERS, RANDOM_STATE = "optimisers", "rng"


@dataclass
class Checkpoint:
    """Where a run is: steps done, samples consumed, and the best measure so far (None before the
    first).
    """

    step: int = 0
    position: int = 0
    best: float | None = None


def save_checkpoint(
    path: Path, task: Task[Any], place: Checkpoint, beside: Mapping[str, Tensor] | None = None
) -> None:
    """Networks, optimisers, random state and place, and tensors `beside` them."""
    tensors = {**collect_tensors(task.networks), **(beside or {})}
    groups: dict[str, Any] = {}
    for name, optimiser in task.optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for index, values in state["state"].items():
            tensors |= {
                f"{OPTIMISERS}.{name}.{index}.{key}": _tensor(key, value)
                for key, value in values.items()
            }
    tensors[f"{RANDOM_STATE}.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors[f"{RANDOM_STATE}.cuda"] = torch.cuda.get_rng_state()
    write_weights(path, tensors, {**describe_task(task), "place": vars(place), "groups": groups})


def load_checkpoint(path: Path, task: Task[Any]) -> Checkpoint:
    """Put a saved state into a task that was built alike, and its random state into torch.

    Raises `InputError` for another task's, another architecture's or a truncated file, and for bare
    weights.
    """
    stored = read_weights(path)
    if "place" not in stored.header:
        raise InputError(
            "weights alone cannot be resumed", where=path, expected="last.safetensors of a run"
        )
    check_task(stored, task.name)
    copy_weights(stored, task.networks)
    for name, optimiser in task.optimisers.items():
        _put_optimiser(stored, name, optimiser)
    torch.set_rng_state(stored.tensors[f"{RANDOM_STATE}.cpu"])
    if torch.cuda.is_available() and f"{RANDOM_STATE}.cuda" in stored.tensors:
        torch.cuda.set_rng_state(stored.tensors[f"{RANDOM_STATE}.cuda"])
    return Checkpoint(**stored.header["place"])


def save_weights(
    path: Path, task: Task[Any], place: Checkpoint, dtype: torch.dtype | None = None
) -> None:
    """The networks alone, to be used."""
    write_weights(
        path,
        collect_tensors(task.networks, dtype),
        {**describe_task(task), "step": place.step, "measure": place.best},
    )


def describe_task(task: Task[Any]) -> dict[str, Any]:
    """What the networks are."""
    return {"task": task.name, "settings": dict(task.settings()), "version": version("stainbridge")}


def check_task(stored: StoredWeights, task: str) -> None:
    """Raise `InputError` when the weights are another task's."""
    if stored.task != task:
        raise InputError(
            "weights of another architecture", where=stored.path, expected=task, got=stored.task
        )


def _tensor(key: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"optimiser state {key} is no tensor"
        )  # torch's optimisers hold tensors only
    return value


def _put_optimiser(stored: StoredWeights, name: str, optimiser: Optimizer) -> None:
    prefix = f"{OPTIMISERS}.{name}."
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in stored.tensors.items():
        if key.startswith(prefix):
            index, field = key.removeprefix(prefix).split(".")
            state.setdefault(int(index), {})[field] = tensor
    groups = [_tuples(group) for group in stored.header["groups"][name]]
    laid = dict(enumerate(iterate_parameters(optimiser)))
    ours = {
        n: {key: _laid_out(tensor, laid[n]) for key, tensor in values.items()}
        for n, values in state.items()
    }
    optimiser.load_state_dict({"state": ours, "param_groups": groups})


def _laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A parameter's state in its layout: files are in torch's usual one, and a fused optimiser goes
    by memory.
    """
    if not tensor.ndim or tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _tuples(group: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: only the list of parameters is a list."""
    return {
        key: tuple(value) if isinstance(value, list) and key != "params" else value
        for key, value in group.items()
    }
