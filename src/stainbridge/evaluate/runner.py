"""Execute runs, each in a process of its own with a time limit; what is done is not done again."""

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

from stainbridge.compute import available_cores
from stainbridge.evaluate.ledger import Ledger
from stainbridge.evaluate.row import Row, slug
from stainbridge.evaluate.run import RUN_FILE, STARTED_FILE, Run
from stainbridge.partial import partial_folder, remove_abandoned
from stainbridge.progress import Progress

#: Folders of a benchmark: overlays, warped landmarks, and logs of runs that did not end well.
PICTURES = "pictures"
POINTS = "points"
LOGS = "logs"
#: Files in the folder of a run in progress.
BEFORE = "before.jpg"
AFTER = "after.jpg"
WARPED = "warped.csv"
LOG = "log.txt"
ROW = "row.json"
#: Seconds that opening slides and loading libraries may take; a slow network disk needs minutes.
LOADING_S = 600.0
#: Seconds between two looks at the running processes: short against any registration.
POLL_S = 0.05
#: Libraries size their thread pools by these; runs that share a machine share its cores.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "MKL_NUM_THREADS",
)


def ignore_row(row: Row) -> None:
    """Take a new row and do nothing with it."""


@dataclass(eq=False)
class _Process:
    """A run in progress; its time limit counts from when the registration itself starts."""

    run: Run
    folder: Path
    process: subprocess.Popen[bytes]
    launched: float
    registering: float | None = None
    out_of_time: bool = False

    def check_time(self, timeout_s: float) -> None:
        """Note when the registration starts, and kill the process when its time is over."""
        now = time.perf_counter()
        if self.registering is None and (self.folder / STARTED_FILE).exists():
            self.registering = now
        if self.registering is None:
            since, limit = self.launched, LOADING_S
        else:
            since, limit = self.registering, timeout_s
        if self.process.poll() is None and now - since > limit:
            self.out_of_time = True
            _kill(self.process)


def execute_runs(
    runs: Sequence[Run],
    ledger: Ledger,
    out: Path,
    *,
    workers: int,
    timeout_s: float,
    progress: Progress,
    on_row: Callable[[Row], None] = ignore_row,
) -> None:
    """Execute what `ledger` does not hold yet; add rows, pictures and points to `out`.

    On an interruption running processes are killed and nothing of theirs is kept.
    """
    waiting = [run for run in runs if run.key not in ledger.rows]
    total = len(runs)
    done = total - len(waiting)
    running: list[_Process] = []
    remove_abandoned(out)
    with partial_folder(out) as work:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_launch(waiting.pop(0), work, workers))
                progress(_progress_text(running[0].run, done, total), done / total)
                for item in _wait_for_ended(running, timeout_s):
                    running.remove(item)
                    row = _finish(item, out, timeout_s)
                    ledger.add(row)
                    on_row(row)
                    done += 1
        finally:
            for item in running:
                _kill(item.process)


def _progress_text(run: Run, done: int, total: int) -> str:
    return f"{done + 1}/{total} {run.case.id} {run.start.name} {run.method}"


def _launch(run: Run, work: Path, workers: int) -> _Process:
    folder = (work / run.slug).resolve()
    (folder / "tmp").mkdir(parents=True)
    (folder / RUN_FILE).write_bytes(pickle.dumps(run))
    # What a run leaves in its temporary folder is removed with it.
    environment = {**_environment(workers), "TMPDIR": str(folder / "tmp")}
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stainbridge.evaluate.worker", str(folder)],
            stdin=subprocess.PIPE,  # closed when this process ends, however it does
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            # A peer's own processes are killed with it; Ctrl-C reaches only this process.
            start_new_session=True,
        )
    return _Process(run, folder, process, time.perf_counter())


def _environment(workers: int) -> dict[str, str]:
    """Return the environment of a run; the caller's own thread counts are kept."""
    share = str(max(1, available_cores() // workers))
    return {**dict.fromkeys(THREAD_VARIABLES, share), "OMP_WAIT_POLICY": "passive", **os.environ}


def _wait_for_ended(running: list[_Process], timeout_s: float) -> list[_Process]:
    """Wait a little; return those that have ended or are out of time."""
    with suppress(subprocess.TimeoutExpired):
        running[0].process.wait(POLL_S)
    for item in running:
        item.check_time(timeout_s)
    return [item for item in running if item.process.poll() is not None]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, if it still runs, and those it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _finish(item: _Process, out: Path, timeout_s: float) -> Row:
    """Return the row of an ended run and move its pictures and points to their places.

    The log is kept where the run gave no transform.
    """
    _kill(item.process)
    row = _read_row(item, timeout_s)
    wanted = output_paths(row)
    for name, path in _all_output_paths(row).items():
        if name in wanted and (item.folder / name).is_file():
            (out / path).parent.mkdir(exist_ok=True)
            (item.folder / name).replace(out / path)
        elif name != BEFORE:  # of an earlier try, whose row was deleted
            (out / path).unlink(missing_ok=True)
    shutil.rmtree(item.folder)
    return row


def output_paths(row: Row) -> dict[str, Path]:
    """Return the files that are kept of a run: paths in the benchmark's folder.

    The keys are their names in the run's own folder.
    """
    names = (BEFORE, AFTER, WARPED) if row.has_transform else (BEFORE, LOG)
    return {name: path for name, path in _all_output_paths(row).items() if name in names}


def _all_output_paths(row: Row) -> dict[str, Path]:
    # The picture of the start is the same for every method.
    return {
        BEFORE: Path(PICTURES, f"{slug(row.key[:3])}.before.jpg"),
        AFTER: Path(PICTURES, f"{row.slug}.after.jpg"),
        WARPED: Path(POINTS, f"{row.slug}.csv"),
        LOG: Path(LOGS, f"{row.slug}.txt"),
    }


def _read_row(item: _Process, timeout_s: float) -> Row:
    """Read the row that the process wrote and add how the process ended.

    Raises `RuntimeError` for a process that could not even start: that is a bug of stainbridge.
    """
    code = item.process.returncode
    if not (item.folder / ROW).is_file():
        raise RuntimeError(f"a benchmark process {_last_output(item.folder, code)}")
    row = Row.from_dict(json.loads((item.folder / ROW).read_text()))
    row = replace(row, wall_s=time.perf_counter() - item.launched)
    if item.out_of_time:
        reason = f"no result after {timeout_s:g} s"
        row = replace(row, status="timeout", reason=reason, seconds=timeout_s)
    elif code != 0:
        row = replace(row, status="crashed", reason=_last_output(item.folder, code))
    else:
        return row
    return replace(row, after=None, robustness=0.0)


def _last_output(folder: Path, code: int) -> str:
    text = (folder / LOG).read_text(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"{ended}: {lines[-1][:200]}" if lines else ended
