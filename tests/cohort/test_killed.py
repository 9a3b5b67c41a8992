"""A cohort that is killed again and again has the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cohort.test_run import read_bytes
from tests.tissue import Tissue

#: How often the command is killed.
KILLS = 3
CASES = 3


def start(folder: Path, out: str, *options: str) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    command = [sys.executable, "-m", "stainbridge", "cohort", "slides.csv", "--out", out]
    return subprocess.Popen(
        [*command, "--preset", "fast", "--workers", "2", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_resumes_to_the_same_bytes(
    tissue: Tissue, tmp_path: Path
) -> None:
    rows = [f"c{number},{tissue.fixed},{tissue.moving}" for number in range(CASES)]
    (tmp_path / "slides.csv").write_text("\n".join(["case,fixed,moving", *rows]))
    began = time.monotonic()
    assert start(tmp_path, "whole").wait() == 0
    seconds = time.monotonic() - began
    rng = np.random.default_rng(5)
    for number, share in enumerate(rng.uniform(0.2, 0.9, KILLS)):
        process = start(tmp_path, "killed")
        time.sleep(float(share) * seconds)
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)
        else:
            process.send_signal(signal.SIGTERM)  # as a cluster's scheduler does
        process.wait()
    assert start(tmp_path, "killed").wait() == 0
    assert read_bytes(tmp_path / "killed") == read_bytes(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".*"))
