"""Run the tasks of a cohort that are not finished, and write what is known of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stainbridge.cohort.folder import REQUEST, CohortFolder, write_json
from stainbridge.cohort.options import RunSettings
from stainbridge.cohort.outcome import CohortOutcome
from stainbridge.cohort.page import write_page
from stainbridge.cohort.progress import CohortProgress, StatusFile, Watch
from stainbridge.cohort.running.attempts import TaskOutcome, TaskRequest, run_request
from stainbridge.cohort.running.cluster import open_client
from stainbridge.cohort.running.process import TaskProcess
from stainbridge.cohort.table import write_table, write_timings
from stainbridge.cohort.task import TRANSIENT, Finished, Task
from stainbridge.compute import available_cores
from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.progress import Note

if TYPE_CHECKING:
    from distributed import Client

#: How many cases a message names.
NAMED = 3


@dataclass(frozen=True)
class Plan:
    """What is left of a cohort."""

    keys: Mapping[str, str]
    """What each task's result depends on, as a hash."""
    left: tuple[Task, ...]
    """Tasks to run, in order."""
    progress: CohortProgress
    """The counts of what is finished."""


def plan_run(tasks: Sequence[Task], folder: CohortFolder, settings: RunSettings) -> Plan:
    """Return what is left to do.

    Raises `InputError` for a folder that holds something else, and for finished tasks of other
    inputs or settings unless they may be replaced.
    """
    if folder.holds_other_files():
        raise InputError(
            "the output folder is not empty",
            where=folder.path,
            expected="a new or empty folder, or one of stainbridge cohort",
            remedy="name another",
        )
    keys = {}
    left = []
    changed = []
    progress = CohortProgress(len(tasks))
    for task in tasks:
        keys[task.id] = task.make_key()
        finished = folder.read_finished(task.id)
        if finished is None:
            left.append(task)
        elif finished.key != keys[task.id]:
            changed.append(task.id)
            left.append(task)
        elif settings.retry_failed and finished.kind in TRANSIENT:
            left.append(task)
        else:
            progress.count_earlier(finished.status, finished.kind)
    if changed and not settings.overwrite:
        raise InputError(
            "cases of other slides, settings or another version are there",
            where=folder.path,
            got=_name_some(changed),
            remedy="name another folder, or add --overwrite to run them again",
        )
    return Plan(keys, tuple(left), progress)


def make_request(plan: Plan, *, is_finished: bool) -> dict[str, Any]:
    """Return what a cohort is made of, and whether all of it is there, as JSON values."""
    return {"cases": dict(plan.keys), "is_finished": is_finished}


def run_tasks(
    tasks: Sequence[Task], folder: CohortFolder, settings: RunSettings, watch: Watch, note: Note
) -> CohortOutcome:
    """Run what is not finished and return what became of all.

    Raises `InputError` for a folder that must not be written, before any file is, and where the
    scheduler is lost.
    """
    plan = plan_run(tasks, folder, settings)
    names = tuple(task.id for task in tasks)
    if not plan.left and folder.read_request() == make_request(plan, is_finished=True):
        note(f"already done: {folder.path}")
        return CohortOutcome(folder.path, names, plan.progress, is_already_done=True)
    recorder = Recorder(folder, names, plan, watch)
    workers = min(settings.workers or available_cores(), len(plan.left) or 1)
    with ExitStack() as stack:
        stack.enter_context(claim_folder(folder.path))
        stack.callback(recorder.end)  # when no worker writes any more
        client = stack.enter_context(
            open_client(settings.scheduler, workers, settings.threads, note)
        )
        recorder.begin()
        _run_waves(client, plan, recorder, settings)
        recorder.state = "finished"
    return CohortOutcome(folder.path, names, plan.progress)


class Recorder:
    """Keeps the files that say how far a cohort is, from the first task to the last."""

    def __init__(
        self, folder: CohortFolder, names: Sequence[str], plan: Plan, watch: Watch
    ) -> None:
        self.folder = folder
        self.state = ""
        self._names = names
        self._plan = plan
        self._watch = watch
        self._status = StatusFile(folder.path)

    def begin(self) -> None:
        """Write the first files; raise `InputError` where they cannot be written."""
        self.folder.make()
        self.state = "interrupted"
        write_json(self.folder.path / REQUEST, make_request(self._plan, is_finished=False))
        self._status.write(self._plan.progress, "running", now=True)

    def take(self, outcome: TaskOutcome) -> None:
        """Count a task that has ended."""
        self._plan.progress.count(outcome)
        self._status.write(self._plan.progress, "running")
        self._watch(self._plan.progress)

    def end(self) -> None:
        """Remove what interrupted tasks left, and write the tables; the request comes last."""
        if not self.state:
            return  # nothing was begun
        self.folder.remove_all_partial()
        write_table(self.folder, self._names)
        write_timings(self.folder, self._names)
        write_page(self.folder, self._names)
        self._status.write(self._plan.progress, self.state, now=True)
        if self.state == "finished":
            write_json(self.folder.path / REQUEST, make_request(self._plan, is_finished=True))


def _run_waves(client: Client, plan: Plan, recorder: Recorder, settings: RunSettings) -> None:
    """Run the tasks; those that need others run after all that do not."""
    from stainbridge.cohort.running.schedule import run_on_cluster

    root = recorder.folder.path
    for is_second in (False, True):
        wave = [task for task in plan.left if bool(task.needs) == is_second]
        requests = (
            TaskRequest.pack(task, plan.keys[task.id], root, settings.limits) for task in wave
        )
        if wave:
            run_on_cluster(client, requests, recorder.take)


def run_row(task: Task, folder: CohortFolder, settings: RunSettings, note: Note) -> Finished:
    """Run one task in a process of its own, without a scheduler, and return what became of it.

    One that is finished is not repeated. Any number of rows may run at once, on any machines that
    share the folder. Raises `InputError` as `plan_run` does, and where a task that this one needs
    is not finished.
    """
    plan = plan_run([task], folder, settings)
    finished = folder.read_finished(task.id)
    if not plan.left and finished is not None:
        note(f"already done: {task.id}")
        return finished
    for name in task.needs:
        if folder.read_finished(name) is None:
            raise InputError(
                f"the case needs {name}, which is not finished",
                where=task.id,
                remedy="run that row first",
            )
    folder.make()
    write_json(folder.path / REQUEST, {"is_finished": False})
    process = TaskProcess(settings.threads)
    try:
        request = TaskRequest.pack(task, plan.keys[task.id], folder.path, settings.limits)
        run_request(request, process)
    finally:
        process.close()
        folder.remove_partial(task.id)
    finished = folder.read_finished(task.id)
    if finished is None:
        raise InputError("someone else has begun the case since", where=task.id)
    return finished


def _name_some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{len(names)}, such as {shown}" if len(names) > NAMED else shown
