from __future__ import annotations

import subprocess
import sys

import pytest
import torch

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


def test_a_registration_does_not_import_the_compiler_of_torch() -> None:
    """It takes longer to import than torch itself, and as long as a fast registration."""
    code = (
        "import sys, stainbridge; pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0);"
        "stainbridge.register(pair.fixed, pair.moving, preset='default', threads=1);"
        "sys.exit('torch._dynamo' in sys.modules or 'scipy.stats' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
