"""Read the pictures, time the peer, write where the points went: what every script here does.

These scripts run in a peer's own environment, without stainbridge: a folder is the only argument.
It holds `fixed.png` and `moving.png`, and `points.npy`, (N, 2) pixel indices of the fixed picture.
They leave `moved.npy`, the same points on the moving picture, and `measured.json`, their cost. With
`--check` in place of the folder they import all they need, and end.
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

#: The argument that asks whether a peer can be used.
CHECK = "--check"


def run_peer(peer: Callable[[Path, Any], Any]) -> None:
    """Call `peer(folder, points)`, which returns the moved points, (N, 2)."""
    if sys.argv[1:] == [CHECK]:
        return
    folder = Path(sys.argv[1])
    points = np.load(folder / "points.npy")
    before = read_clocks()
    moved = np.asarray(peer(folder, points), float)
    seconds, cpu_s = np.subtract(read_clocks(), before).tolist()
    np.save(folder / "moved.npy", moved)
    cost = {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": read_peak_mb()}
    (folder / "measured.json").write_text(json.dumps(cost))


def read_clocks() -> tuple[float, float]:
    """Return wall seconds, and processor seconds of this process and its ended children."""
    times = os.times()
    cpu_s = times.user + times.system + times.children_user + times.children_system
    return time.perf_counter(), cpu_s


def read_peak_mb() -> float:
    """Return the largest memory of this process in MiB, from the kernel where it tells."""
    status = Path("/proc/self/status")
    if status.is_file():
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if peak:
            return int(peak[1]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
