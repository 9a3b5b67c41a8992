"""What runs on a worker of Dask: it hands tasks to processes of its own and waits for them."""

from __future__ import annotations

import threading
from typing import Any

from distributed import WorkerPlugin, get_worker

from stainbridge.cohort.running.attempts import TaskOutcome, TaskRequest, run_request
from stainbridge.cohort.running.process import ProcessClosedError, TaskProcess

#: The name of the plugin on a worker.
PLUGIN = "stainbridge-cohort"


class TaskProcesses(WorkerPlugin):  # type: ignore[misc]
    """The processes of a worker, one for each of its threads; they end with the worker."""

    name = PLUGIN

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._is_over = False

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - the signature is Dask's
        """Prepare for tasks; processes start when the first tasks come."""
        self._lock = threading.Lock()
        self._idle: list[TaskProcess] = []
        self._all: list[TaskProcess] = []

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - the signature is Dask's
        """End all processes, whatever they are doing."""
        with self._lock:
            self._is_over = True
            for process in self._all:
                process.close()

    def run(self, request: TaskRequest) -> TaskOutcome:
        """Run a task in a process that has nothing to do."""
        process = self._take()
        try:
            return run_request(request, process)
        finally:
            with self._lock:
                self._idle.append(process)

    def _take(self) -> TaskProcess:
        with self._lock:
            if self._is_over:
                raise ProcessClosedError
            if self._idle:
                return self._idle.pop()
            process = TaskProcess(self._threads)
            self._all.append(process)
            return process


def run_on_worker(request: TaskRequest) -> TaskOutcome:
    """Run a task on the worker that this is called on."""
    plugin: TaskProcesses = get_worker().plugins[PLUGIN]
    return plugin.run(request)
