"""A command that is interrupted or finds the disk full leaves no half file."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.cli.conftest import quarter_turn_registration

import stainbridge

LONGEST_WAIT_S = 120


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result whose moving slide takes seconds to warp."""
    folder = tmp_path_factory.mktemp("large")
    noise = np.random.default_rng(0).integers(0, 255, (2048, 2048, 3), np.uint8)
    pixels = np.tile(noise, (3, 3, 1))
    for name in ("he.tif", "ki67.tif"):
        tifffile.imwrite(folder / name, pixels, photometric="rgb", tile=(512, 512))
    with (
        stainbridge.open_slide(folder / "he.tif") as fixed,
        stainbridge.open_slide(folder / "ki67.tif") as moving,
    ):
        quarter_turn_registration(fixed.frame, moving.frame).save(folder / "result", fixed, moving)
    return folder


def start(*arguments: object, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start the command in a process of its own.

    It can write files of `limit_bytes` at most, as on a full disk.
    """
    lines = [
        "import resource, signal",
        # a shell's background jobs ignore Ctrl-C
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))"
        if limit_bytes
        else "",
        "from stainbridge.cli.main import main",
        "main()",
    ]
    command = [sys.executable, "-c", "\n".join(lines), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def leave_out_progress(err: str) -> str:
    """Return what is left of standard error without the lines that slow work prints."""
    return re.sub(r"^(preparing|\d+% .*)\n", "", err, flags=re.MULTILINE)


def interrupt_when(
    process: subprocess.Popen[str],
    is_running: Callable[[], bool],
    by: signal.Signals = signal.SIGINT,
) -> tuple[int, str, str]:
    """Send Ctrl-C, or another signal, once `is_running` returns True.

    Return the exit code, standard output and standard error.
    """
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not is_running():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(by)
    out, err = process.communicate(timeout=LONGEST_WAIT_S)
    return process.returncode, out, leave_out_progress(err)


@pytest.mark.parametrize(
    "by", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interruption_while_a_slide_is_written(
    by: signal.Signals, large: Path, tmp_path: Path
) -> None:
    """By Ctrl-C, or by a scheduler that wants the machine back."""
    process = start("warp", "slide", large / "result", "--out", tmp_path / "warped.ome.tiff")
    code, out, err = interrupt_when(process, lambda: any(tmp_path.iterdir()), by)
    assert (code, out, err) == (130, "", "interrupted; nothing half-written was left\n")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_a_slide_is_written(large: Path, tmp_path: Path) -> None:
    path = tmp_path / "warped.ome.tiff"
    path.write_text("earlier")
    process = start(
        *("warp", "slide", large / "result", "--out", path, "--overwrite"), limit_bytes=200_000
    )
    out, err = process.communicate(timeout=LONGEST_WAIT_S)
    err = leave_out_progress(err)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"error: {path}: could not write: ")
    assert err.count("\n") == 1
    assert [file.read_text() for file in tmp_path.iterdir()] == ["earlier"]
