"""What every script here does: read the pictures, time the peer, write where the points went.

These scripts run in a peer's own environment, without stainbridge: a folder is the only argument.
In it are `fixed.png` and `moving.png`, and `points.npy`, (N, 2) pixel indices of the fixed picture;
they leave `moved.npy`, the same points on the moving picture, and `measured.json`. With `--check`
in place of the folder they import all they need, and end.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CHECK = "--check"


def run(peer: Callable[[Path, Any], Any]) -> None:
    """Call `peer(folder, points)`, which returns the moved points, (N, 2)."""
    if sys.argv[1:] == [CHECK]:
        return
    folder = Path(sys.argv[1])
    points = np.load(folder / "points.npy")
    began = clocks()
    moved = np.asarray(peer(folder, points), float)
    seconds, cpu_s = np.subtract(clocks(), began).tolist()
    np.save(folder / "moved.npy", moved)
    measured = {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb()}
    (folder / "measured.json").write_text(json.dumps(measured))


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and those that processors spent on this process and on its ended
    children.
    """
    spent = os.times()
    return (
        time.perf_counter(),
        spent.user + spent.system + spent.children_user + spent.children_system,
    )


def peak_mb() -> float:
    """The largest memory this process held, from the kernel's own account of it where there is one."""
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
