from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stainbridge import generate_pair
from stainbridge.registration.stages.adam import minimise


def measure_distance(parameter: torch.Tensor) -> torch.Tensor:
    target = torch.linspace(-2, 3, 6)
    return ((parameter - target).abs() ** 1.5 * torch.arange(1, 7)).sum()


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_the_steps_are_those_of_torch(steps: int) -> None:
    ours = torch.zeros(6, requires_grad=True)
    minimise(
        ours, lambda: measure_distance(ours), steps, rate=0.2, last_rate=0.01, betas=(0.9, 0.95)
    )
    theirs = torch.zeros(6, requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=0.2, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        measure_distance(theirs).backward()
        optimiser.step()
        schedule.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_no_steps_change_nothing() -> None:
    parameter = torch.ones(3, requires_grad=True)
    minimise(parameter, parameter.sum, 0, rate=1, last_rate=0.1, betas=(0.9, 0.9))
    assert parameter.tolist() == [1, 1, 1]


def test_a_registration_imports_nothing_that_takes_longer_than_it_runs(tmp_path: Path) -> None:
    """The compiler of torch takes longer to import than torch itself, scipy a third of that."""
    pair = generate_pair(seed=3, size_px=256, mpp=4.0)
    for name, slide in (("fixed", pair.fixed), ("moving", pair.moving)):
        np.save(tmp_path / name, slide.read(slide.frame).pixels)
    code = (
        "import sys, numpy, stainbridge; fixed, moving = map(numpy.load, sys.argv[1:]);"
        "stainbridge.register(fixed, moving, preset='default', threads=1);"
        "print(sorted({'torch._dynamo', 'scipy', 'skimage'} & set(sys.modules)))"
    )
    slides = [tmp_path / "fixed.npy", tmp_path / "moving.npy"]
    result = subprocess.run(
        [sys.executable, "-c", code, *slides], check=True, capture_output=True, text=True
    )
    assert result.stdout == "[]\n"
