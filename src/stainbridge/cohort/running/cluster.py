"""The workers that tasks run on: this machine's, or those of a scheduler at an address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.progress import Note

if TYPE_CHECKING:
    from distributed import Client

#: The scheduler that means workers on this machine.
LOCAL = "local"
#: Seconds to wait for a scheduler to answer, and for its first worker.
CONNECT_S = 20
WORKERS_S = 300
#: Settings of Dask for workers on this machine. Its logs of the last events and its profiler are
#: for those who mend Dask: they take memory and time for every task. So do its ticks, 50 a second
#: for each worker, and its looks at the whole machine.
QUIET = {
    "distributed.comm.timeouts.connect": f"{CONNECT_S}s",
    "distributed.admin.log-length": 100,
    "distributed.admin.low-level-log-length": 20,
    "distributed.admin.system-monitor.log-length": 20,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.computations.max-history": 2,
}


def check_scheduler(address: str) -> None:
    """Raise `InputError` for what is no address, `MissingExtraError` without Dask."""
    from importlib.util import find_spec

    if address != LOCAL and "://" not in address:
        raise InputError(
            "no such scheduler",
            expected=f"{LOCAL}, or an address such as tcp://node1:8786",
            got=address,
        )
    if find_spec("distributed") is None:
        raise MissingExtraError("stainbridge cohort", "distributed", "cohort")


@contextmanager
def open_client(scheduler: str, workers: int, threads: int, note: Note) -> Iterator[Client]:
    """Hand out a client whose workers can run tasks; whatever they still run then is ended.

    Raises `InputError` where the scheduler does not answer, has no workers, or where its workers
    have another version.
    """
    from stainbridge.cohort.running.dask_worker import PLUGIN, TaskProcesses

    with ExitStack() as stack:
        client = stack.enter_context(
            _open_local(workers) if scheduler == LOCAL else _open_remote(scheduler, note)
        )
        client.register_plugin(TaskProcesses(threads), name=PLUGIN)
        stack.callback(_unregister, client, PLUGIN)
        yield client


@contextmanager
def _open_local(workers: int) -> Iterator[Client]:
    """Start workers in this process: what computes has processes of its own."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(QUIET),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",  # any free port: another cluster may run here
            memory_limit=0,  # each task's process is watched instead
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _open_remote(address: str, note: Note) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            "the scheduler does not answer",
            where=address,
            got=" ".join(str(error).split())[:200],
            remedy="start it with dask scheduler",
        ) from error
    with client:
        _wait_for_workers(client, address, note)
        _check_versions(client, address)
        yield client


def _wait_for_workers(client: Client, address: str, note: Note) -> None:
    if not client.scheduler_info()["workers"]:
        note(f"waiting for workers of {address}")
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        raise InputError(
            "the scheduler has no workers",
            where=address,
            remedy="start some with dask worker --nthreads 1",
        ) from error


def _check_versions(client: Client, address: str) -> None:
    """Raise `InputError` for workers that would give other results, or none."""
    own = version("stainbridge")
    found = client.run(_read_version)
    others = {worker: text for worker, text in found.items() if text != own}
    if others:
        worker, text = min(others.items())
        raise InputError(
            "a worker has another version of stainbridge",
            where=f"{address}, worker {worker}",
            expected=own,
            got=text,
        )


def _read_version() -> str:
    return version("stainbridge")


def _unregister(client: Client, name: str) -> None:
    """End what workers still run; a scheduler that is gone has none."""
    import contextlib

    with contextlib.suppress(OSError, RuntimeError):  # of a closed connection, or a closed loop
        client.unregister_worker_plugin(name)
