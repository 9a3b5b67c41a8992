"""A set whose building is killed again and again has the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.jobs.test_pair_set import read_bytes, slides

__all__ = ["slides"]  # a fixture

#: How often the command is killed.
KILLS = 3


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    options = ["--patch", "64", "--max-residual", "64", "--max-blur", "64", "--shards", "8"]
    command = [sys.executable, "-m", "stainbridge", "pairs", "slides.csv", "--out", str(out)]
    return subprocess.Popen(
        [*command, *options, "--workers", "2"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_resumes_to_the_same_bytes(
    slides: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    began = time.monotonic()
    assert start(slides, whole).wait() == 0
    seconds = time.monotonic() - began
    expected = read_bytes(whole)
    assert any(name.startswith("shards/") for name in expected)
    out = tmp_path / "killed"
    rng = np.random.default_rng(11)
    for number, share in enumerate(rng.uniform(0.3, 1, KILLS)):
        process = start(slides, out)
        time.sleep(float(share) * seconds)
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)  # its workers see that it is gone
        else:
            os.killpg(process.pid, signal.SIGKILL)  # as when the power fails
        process.wait()
    assert start(slides, out).wait() == 0
    assert read_bytes(out) == expected
