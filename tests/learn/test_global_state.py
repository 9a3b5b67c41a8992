"""A training leaves the process as it was."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.learn.toy import CONFIG, run

from stainbridge.errors import InputError


def read_global_state() -> dict[str, Any]:
    """Everything global that a training might change."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index, union-attr]  # noqa: NPY002
        "python": random.getstate(),
        "threads": torch.get_num_threads(),
        "interop threads": torch.get_num_interop_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
        "cudnn deterministic": torch.backends.cudnn.deterministic,
        "gradients": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "log level": logging.getLogger("lightning_fabric").level,
    }


def test_a_training_changes_nothing_global(tmp_path: Path) -> None:
    torch.manual_seed(7)
    before = read_global_state()
    run(tmp_path, replace(CONFIG, workers=1, steps=2))
    assert read_global_state() == before
    run(tmp_path, replace(CONFIG, steps=4), resume=True)
    assert read_global_state() == before


@pytest.mark.parametrize("seed", [0, 1])
def test_what_went_before_does_not_change_a_training(tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    first = run(tmp_path / "first")
    torch.manual_seed(seed + 1)
    second = run(tmp_path / "second")
    assert all(torch.equal(first[name], second[name]) for name in first)


def interrupt(step: int) -> float:
    raise KeyboardInterrupt


def diverge(step: int) -> float:
    return float("nan")


@pytest.mark.parametrize(("hook", "error"), [(interrupt, KeyboardInterrupt), (diverge, InputError)])
def test_a_training_that_fails_changes_nothing_global_either(
    tmp_path: Path, hook: Callable[[int], float], error: type[BaseException]
) -> None:
    before = read_global_state()
    with pytest.raises(error):
        run(tmp_path, hook=hook)
    assert read_global_state() == before
