"""Run jobs, each in a process of its own, with a time limit; what is done already is not done
again.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stainbridge.evaluate.job import BEGAN, Job, Row, slug
from stainbridge.evaluate.ledger import Ledger
from stainbridge.progress import Progress

PICTURES, POINTS, LOGS = "pictures", "points", "logs"
#: Each benchmark process has a folder of its own for runs in progress: this, and its number.
WORK = ".work-"
#: Opening slides and loading libraries may take so long.
LOADING_S = 600.0
BEFORE, AFTER, WARPED, LOG = "before.jpg", "after.jpg", "warped.csv", "log.txt"
#: How often running processes are looked at.
POLL_S = 0.05
#: Libraries that size their thread pools by these; runs that share a machine share its cores.
THREADS = (
    "OMP_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "MKL_NUM_THREADS",
)


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
        since, limit = (
            (self.started, LOADING_S) if self.registering is None else (self.registering, timeout_s)
        )
        if self.process.poll() is None and now - since > limit:
            self.out_of_time = True
            _end(self.process)


def run_jobs(
    jobs: Sequence[Job],
    ledger: Ledger,
    out: Path,
    *,
    workers: int,
    timeout_s: float,
    progress: Progress,
) -> None:
    """Run what `ledger` does not hold yet and add the rows, pictures and points to `out`.

    On an interruption running processes are ended and nothing of theirs is kept.
    """
    waiting = [job for job in jobs if job.key not in ledger.rows]
    done, total = len(jobs) - len(waiting), len(jobs)
    running: list[_Running] = []
    work = _work_folder(out)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_begin(waiting.pop(0), work, workers))
            progress(_told(running[0].job, done, total), done / total)
            for item in _ended(running, timeout_s):
                running.remove(item)
                ledger.add(_finish(item, out, timeout_s))
                done += 1
    finally:
        for item in running:
            _end(item.process)
        shutil.rmtree(work, ignore_errors=True)


def _work_folder(out: Path) -> Path:
    """An empty folder for this process's runs; those that processes which are no more left behind
    are removed.
    """
    for left in out.glob(f"{WORK}*"):
        if not _alive(int(left.name.removeprefix(WORK))):
            shutil.rmtree(left, ignore_errors=True)
    work = out / f"{WORK}{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return work


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _told(job: Job, done: int, total: int) -> str:
    return f"{done + 1}/{total} {job.case.id} {job.start.name} {job.method}"


def _begin(job: Job, work: Path, workers: int) -> _Running:
    folder = (work / job.slug).resolve()
    (folder / "tmp").mkdir(parents=True)
    (folder / "job.pkl").write_bytes(pickle.dumps(job))
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stainbridge.evaluate.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **_environment(workers),
                "TMPDIR": str(folder / "tmp"),
            },  # what a run leaves there goes with it
            # a peer's own processes end with it, and Ctrl-C is ours to hand on
            start_new_session=True,
        )
    return _Running(job, folder, process, time.perf_counter())


def _environment(workers: int) -> dict[str, str]:
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
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
    """End a process, if it still runs, and those it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _finish(item: _Running, out: Path, timeout_s: float) -> Row:
    """The run's row; its pictures and points go to their places, its log is kept where it did not
    end well.
    """
    _end(item.process)
    row = _row(item, timeout_s)
    wanted = places(row)
    for name, place in _all_places(row).items():
        if name in wanted and (item.folder / name).is_file():
            (out / place).parent.mkdir(exist_ok=True)
            (item.folder / name).replace(out / place)
        elif name != BEFORE:  # of an earlier try, whose row was deleted
            (out / place).unlink(missing_ok=True)
    shutil.rmtree(item.folder)
    return row


def places(row: Row) -> dict[str, Path]:
    """Where files of a run are kept in the benchmark's folder, by their names in the run's own."""
    names = (BEFORE, AFTER, WARPED) if row.ended_well else (BEFORE, LOG)
    return {name: place for name, place in _all_places(row).items() if name in names}


def _all_places(row: Row) -> dict[str, Path]:
    """The picture of the start is the same for every method."""
    return {
        BEFORE: Path(PICTURES, f"{slug(row.key[:3])}.before.jpg"),
        AFTER: Path(PICTURES, f"{row.slug}.after.jpg"),
        WARPED: Path(POINTS, f"{row.slug}.csv"),
        LOG: Path(LOGS, f"{row.slug}.txt"),
    }


def _row(item: _Running, timeout_s: float) -> Row:
    """What the process wrote down; raises `RuntimeError` for one that could not even start: a bug
    of ours.
    """
    code = item.process.returncode
    if not (item.folder / "row.json").is_file():
        raise RuntimeError(f"a benchmark process {_last_words(item.folder, code)}")
    row = Row.from_dict(json.loads((item.folder / "row.json").read_text()))
    row = replace(row, wall_s=time.perf_counter() - item.started)
    if item.out_of_time:
        reason = f"no result after {timeout_s:g} s"
        return replace(
            row, status="timeout", reason=reason, after=None, robustness=0.0, seconds=timeout_s
        )
    if code != 0:
        return replace(
            row, status="crashed", reason=_last_words(item.folder, code), after=None, robustness=0.0
        )
    return row


def _last_words(folder: Path, code: int) -> str:
    said = [
        line.strip()
        for line in (folder / LOG).read_text(errors="replace").splitlines()
        if line.strip()
    ]
    ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"{ended}: {said[-1][:200]}" if said else ended
