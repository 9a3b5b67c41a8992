"""Run jobs, each in a process of its own, with a time limit; what is done already is not done again."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stainbridge.evaluate.job import BEGAN, Job, Row, slug
from stainbridge.evaluate.ledger import Ledger

PICTURES, POINTS, LOGS, WORK = "pictures", "points", "logs", ".work"
#: Opening slides and loading libraries may take so long.
LOADING_S = 600.0
#: How often running processes are looked at.
POLL_S = 0.05
#: Libraries that size their thread pools by these; runs that share a machine share its cores.
THREADS = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OPENCV_FOR_THREADS_NUM", "MKL_NUM_THREADS")

Progress = Callable[[str, float], None]


@dataclass(eq=False)
class _Running:
    """A run in progress; the time limit counts from when the registration itself begins."""

    job: Job
    folder: Path
    process: subprocess.Popen[bytes]
    started: float
    registering: float | None = None
    out_of_time: bool = False

    def look(self, timeout_s: float) -> None:
        """See how far it is, and end it when it has had its time."""
        now = time.perf_counter()
        if self.registering is None and (self.folder / BEGAN).exists():
            self.registering = now
        since, limit = (self.started, LOADING_S) if self.registering is None else (self.registering, timeout_s)
        if self.process.poll() is None and now - since > limit:
            self.out_of_time = True
            _end(self.process)


def run_jobs(
    jobs: Sequence[Job], ledger: Ledger, out: Path, *, workers: int, timeout_s: float, progress: Progress
) -> None:
    """Run what `ledger` does not hold yet and add the rows, pictures and points to `out`.

    On an interruption running processes are ended and nothing of theirs is kept.
    """
    waiting = [job for job in jobs if job.key not in ledger.rows]
    done, total = len(jobs) - len(waiting), len(jobs)
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_begin(waiting.pop(0), out, workers))
            progress(_told(running[0].job, done, total), done / total)
            for item in _ended(running, timeout_s):
                running.remove(item)
                ledger.add(_finish(item, out, timeout_s))
                done += 1
    finally:
        for item in running:
            _end(item.process)
        shutil.rmtree(out / WORK, ignore_errors=True)


def _told(job: Job, done: int, total: int) -> str:
    return f"{done + 1}/{total} {job.case.id} {job.start.name} {job.method}"


def _begin(job: Job, out: Path, workers: int) -> _Running:
    folder = out / WORK / job.slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.pkl").write_bytes(pickle.dumps(job))
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stainbridge.evaluate.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(workers),
            start_new_session=True,  # a peer's own processes end with it, and Ctrl-C is ours to hand on
        )
    return _Running(job, folder, process, time.perf_counter())


def _environment(workers: int) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = str(max(1, cores // workers))
    return {**dict.fromkeys(THREADS, share), "OMP_WAIT_POLICY": "passive", **os.environ}


def _ended(running: list[_Running], timeout_s: float) -> list[_Running]:
    """Those that have ended, or have had their time; waits a little first."""
    with suppress(subprocess.TimeoutExpired):
        running[0].process.wait(POLL_S)
    for item in running:
        item.look(timeout_s)
    return [item for item in running if item.process.poll() is not None]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _finish(item: _Running, out: Path, timeout_s: float) -> Row:
    """The run's row; its pictures and points go to their places, its log is kept where it did not end well."""
    row = _row(item, timeout_s)
    kept = {
        "before.jpg": out / PICTURES / f"{slug(row.key[:3])}.before.jpg",  # the same for every method
        "after.jpg": out / PICTURES / f"{row.slug}.after.jpg",
        "warped.csv": out / POINTS / f"{row.slug}.csv",
    }
    if row.status not in ("ok", "fallback"):
        kept["log.txt"] = out / LOGS / f"{row.slug}.txt"
    for name, place in kept.items():
        if (item.folder / name).is_file():
            place.parent.mkdir(exist_ok=True)
            (item.folder / name).replace(place)
    shutil.rmtree(item.folder)
    return row


def _row(item: _Running, timeout_s: float) -> Row:
    """What the process wrote down; raises `RuntimeError` for one that could not even start: a bug of ours."""
    code = item.process.returncode
    if not (item.folder / "row.json").is_file():
        raise RuntimeError(f"a benchmark process {_last_words(item.folder, code)}")
    row = Row.from_dict(json.loads((item.folder / "row.json").read_text()))
    row = replace(row, wall_s=time.perf_counter() - item.started)
    if item.out_of_time:
        return replace(row, status="timeout", reason=f"no result after {timeout_s:g} s")
    if code != 0:
        return replace(row, status="crashed", reason=_last_words(item.folder, code))
    return row


def _last_words(folder: Path, code: int) -> str:
    said = [line.strip() for line in (folder / "log.txt").read_text(errors="replace").splitlines() if line.strip()]
    ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"{ended}: {said[-1][:200]}" if said else ended
