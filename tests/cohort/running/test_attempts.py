"""A task ends in one of seven ways, and each is published with its reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.cohort.tasks import BadTask, BusyTask, OnceKilledTask, PlainTask, ThreadsTask

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import Limits
from stainbridge.cohort.running.attempts import TaskOutcome, TaskRequest, publish_lost, run_request
from stainbridge.cohort.running.process import ProcessClosedError, TaskProcess

LIMITS = Limits(time_s=30, memory_gb=1, attempts=1)


@pytest.fixture(scope="module")
def process() -> Iterator[TaskProcess]:
    process = TaskProcess()
    yield process
    process.close()


@pytest.fixture
def folder(tmp_path: Path) -> CohortFolder:
    folder = CohortFolder(tmp_path / "cohort")
    folder.make()
    return folder


def run(
    task: PlainTask, folder: CohortFolder, process: TaskProcess, limits: Limits = LIMITS
) -> TaskOutcome:
    return run_request(TaskRequest.pack(task, task.make_key(), folder.path, limits), process)


def test_a_result_is_published_with_its_marker(folder: CohortFolder, process: TaskProcess) -> None:
    task = PlainTask("a", "cells")
    assert run(task, folder, process).status == "ok"
    finished = folder.read_finished("a")
    assert finished is not None
    assert (finished.key, finished.kind) == (task.make_key(), "")
    assert finished.facts == {"predicted_rtre": 0.005}
    assert (folder.case("a") / "words.txt").read_text() == "cells"
    times = folder.read_times("a")
    assert times is not None
    assert times.attempts == 1
    assert 0 < times.peak_mb < 1000 * LIMITS.memory_gb


def test_the_processor_time_is_that_of_the_task_alone(
    folder: CohortFolder, process: TaskProcess
) -> None:
    run(BusyTask("a"), folder, process)
    run(BusyTask("b"), folder, process)
    times = folder.read_times("b")
    assert times is not None
    assert 0.3 <= times.cpu_s < 0.6


def test_a_task_has_one_thread(folder: CohortFolder, process: TaskProcess) -> None:
    run(ThreadsTask("a"), folder, process)
    finished = folder.read_finished("a")
    assert finished is not None
    assert finished.facts == {"cv2": 1, "torch": 1}


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ("refuse", "input", "a.svs: cut short; copy it again"),
        ("fail", "registration", "no tissue found on the fixed slide"),
        ("divide", "error", "ZeroDivisionError: a bug"),
        ("kill", "killed", "killed by SIGKILL, as the kernel does when memory runs out"),
        ("leave", "killed", "ended with exit code 7"),
    ],
)
def test_a_failure_is_named(
    words: str, kind: str, reason: str, folder: CohortFolder, process: TaskProcess
) -> None:
    outcome = run(BadTask("bad", words), folder, process)
    assert (outcome.status, outcome.kind) == ("failed", kind)
    assert reason in outcome.reason
    finished = folder.read_finished("bad")
    assert finished is not None
    assert (finished.status, finished.kind, finished.reason) == ("failed", kind, outcome.reason)
    if kind == "killed":
        assert not list(folder.case("bad").iterdir())
    assert run(PlainTask("good"), folder, process).status == "ok"


@pytest.mark.parametrize("words", ["hang", "library"])
def test_a_task_that_hangs_is_ended(words: str, folder: CohortFolder, process: TaskProcess) -> None:
    run(PlainTask("first"), folder, process)  # the process has started
    outcome = run(BadTask("bad", words), folder, process, Limits(time_s=0.5, attempts=1))
    assert outcome.kind == "time"
    assert outcome.reason == "ran longer than its limit of 0.5 s"
    assert not list(folder.case("bad").iterdir())
    assert run(PlainTask("good"), folder, process).status == "ok"


def test_a_task_that_takes_too_much_memory_is_ended(
    folder: CohortFolder, process: TaskProcess
) -> None:
    limits = Limits(time_s=60, memory_gb=0.3, attempts=1)
    outcome = run(BadTask("bad", "memory"), folder, process, limits)
    assert outcome.kind == "memory"
    assert outcome.reason == "used more than its limit of 0.3 GB"


def test_a_killed_task_is_tried_again_in_an_empty_folder(
    folder: CohortFolder, process: TaskProcess, tmp_path: Path
) -> None:
    task = OnceKilledTask("a", flag=str(tmp_path / "flag"))
    outcome = run(task, folder, process, Limits(time_s=30, attempts=2))
    assert outcome.status == "ok"
    times = folder.read_times("a")
    assert times is not None
    assert times.attempts == 2


def test_bad_input_is_not_tried_again(folder: CohortFolder, process: TaskProcess) -> None:
    run(BadTask("bad", "refuse"), folder, process, Limits(time_s=30, attempts=2))
    times = folder.read_times("bad")
    assert times is not None
    assert times.attempts == 1


def test_a_lost_worker_is_published(folder: CohortFolder) -> None:
    task = PlainTask("a")
    request = TaskRequest.pack(task, task.make_key(), folder.path, LIMITS)
    outcome = publish_lost(request, "its worker at tcp://node2:4321 was lost")
    assert outcome.kind == "killed"
    finished = folder.read_finished("a")
    assert finished is not None
    assert finished.reason == "its worker at tcp://node2:4321 was lost"


def test_a_closed_process_takes_no_task(folder: CohortFolder) -> None:
    process = TaskProcess()
    process.close()
    with pytest.raises(ProcessClosedError):
        run(PlainTask("a"), folder, process)
    assert folder.read_finished("a") is None


PARENT = """
import os, pickle, signal, sys
from pathlib import Path
from stainbridge.cohort.running.process import TaskProcess
from tests.cohort.tasks import BadTask

process = TaskProcess()
connection = process._start()
print(process._process.pid, flush=True)
connection.send((pickle.dumps(BadTask("a", "hang")), Path(sys.argv[1])))
connection.poll(1)  # the task has begun
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != "zombie"


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed leaves no process behind, also not one that is busy."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    path = os.pathsep.join([str(Path.cwd()), *sys.path])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, check=False
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    deadline = time.monotonic() + 20
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)
