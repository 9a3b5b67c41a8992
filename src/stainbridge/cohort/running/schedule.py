"""Hand tasks to workers, never more at a time than they can take soon."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from stainbridge.cohort.running.attempts import TaskOutcome, TaskRequest, publish_lost
from stainbridge.errors import InputError, StainbridgeError

if TYPE_CHECKING:
    from distributed import Client, Future

#: Tasks that wait at the scheduler for each thread of a worker, beside the one that runs.
AHEAD = 1
#: How often a task is handed out whose worker is lost.
HANDED_OUT = 2


def run_on_cluster(
    client: Client,
    requests: Iterable[TaskRequest],
    on_outcome: Callable[[TaskOutcome], None],
) -> None:
    """Run tasks on the workers of a client, and hand over each outcome as it comes.

    Tasks are packed as they are needed: however many there are, few are in memory. A task whose
    worker is lost is handed out once more; then its outcome says so.

    Raises:
        InputError: The scheduler is lost, or the cohort's folder cannot be written.

    """
    from distributed import as_completed

    waiting = iter(requests)
    submitted: dict[Any, tuple[TaskRequest, int]] = {}
    completed = as_completed(loop=client.loop, raise_errors=False)

    def submit(request: TaskRequest, number: int) -> None:
        from stainbridge.cohort.running.dask_worker import run_on_worker

        future = client.submit(run_on_worker, request, pure=False, retries=0)
        submitted[future.key] = request, number
        completed.add(future)

    def fill() -> None:
        threads = sum(client.nthreads().values())
        for request in _take(waiting, max(1, threads) * (1 + AHEAD) - len(submitted)):
            submit(request, 1)

    fill()
    for future in completed:
        request, number = submitted.pop(future.key)
        answer = _read_answer(client, future, request)
        if isinstance(answer, str) and number < HANDED_OUT:
            submit(request, number + 1)
            continue
        on_outcome(publish_lost(request, answer) if isinstance(answer, str) else answer)
        fill()


def _take(items: Iterator[TaskRequest], count: int) -> Iterator[TaskRequest]:
    for _ in range(count):
        with contextlib.suppress(StopIteration):
            yield next(items)


def _read_answer(client: Client, future: Future, request: TaskRequest) -> TaskOutcome | str:
    """Return what a future holds; of a lost worker, a line that says so."""
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        outcome: TaskOutcome = future.result()
        return outcome
    if future.status != "error":
        raise InputError(
            "the scheduler is lost",
            where=client.scheduler.address if client.scheduler else None,
            remedy="start it again and repeat the command: what is finished is kept",
        )
    error = future.exception()
    if isinstance(error, KilledWorker):
        worker = getattr(error.last_worker, "address", "an address that is not known")
        return f"its worker at {worker} was lost"
    if isinstance(error, StainbridgeError):
        raise error
    raise RuntimeError(f"{request.id}: {error}") from error
