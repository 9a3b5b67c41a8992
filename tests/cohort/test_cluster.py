"""A scheduler and two workers in processes of their own do what one machine does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.cohort.tasks import BadTask, PlainTask
from tests.cohort.test_run import SETTINGS, read_bytes, run

from stainbridge.errors import InputError

ROOT = Path(__file__).parents[2]
TASKS = [*(PlainTask(f"t{number:02}") for number in range(20)), BadTask("u", "kill")]


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: list[subprocess.Popen[bytes]]


def start(*words: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = start(
        "dask_scheduler", "--port", str(port), "--no-dashboard", "--host", "127.0.0.1"
    )
    options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path / "dask"))
    workers = [start("dask_worker", address, *options) for _ in range(2)]
    yield Cluster(address, workers)
    for process in (*workers, scheduler):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(cluster: Cluster, tmp_path: Path) -> None:
    settings = replace(SETTINGS, scheduler=cluster.address)
    outcome = run(TASKS, tmp_path / "remote", settings)
    assert outcome.succeeded == 20
    assert [item.id for item in outcome.list_failed()] == ["u"]
    run(TASKS, tmp_path / "local")
    assert read_bytes(tmp_path / "remote") == read_bytes(tmp_path / "local")


@pytest.mark.slow
def test_a_lost_worker_stops_nothing(cluster: Cluster, tmp_path: Path) -> None:
    settings = replace(SETTINGS, scheduler=cluster.address)
    run(TASKS[:2], tmp_path / "first", settings)  # both have come up
    os.killpg(cluster.workers[0].pid, signal.SIGKILL)
    assert run(TASKS, tmp_path / "second", settings).succeeded == 20


def test_a_scheduler_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stainbridge.cohort.running.cluster.CONNECT_S", 1)
    settings = replace(SETTINGS, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="does not answer"):
        run(TASKS, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()
