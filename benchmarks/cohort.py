"""Run cohorts of generated cases, some of them poisoned, and measure what is promised of them.

    python -m benchmarks.cohort cases --out DIR --cases 200      poisoned inputs, overhead
    python -m benchmarks.cohort speedup --out DIR --cases 200    two workers against one
    python -m benchmarks.cohort kills --out DIR --cases 200      killed ten times and resumed
    python -m benchmarks.cohort trivial --out DIR --cases 10000  memory of the machinery
    python -m benchmarks.cohort blocks --out DIR --data LUNG     chains beside direct registrations

Each prints one line a figure, and leaves them as JSON in DIR.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.cohort.case import CohortCase
from stainbridge.cohort.folder import TIMES, CohortFolder
from stainbridge.cohort.manifest import read_manifest
from stainbridge.cohort.options import CaseOptions, Limits, RunSettings
from stainbridge.cohort.outcome import CohortOutcome
from stainbridge.cohort.progress import ignore_progress
from stainbridge.cohort.register_task import RegisterTask
from stainbridge.cohort.run import run_tasks
from stainbridge.cohort.task import Task, TaskResult
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.progress import ignore_note

#: Side of the generated slides, in pixels.
SIZE_PX = 512
#: Share of cases that are poisoned.
POISONED = 0.05
#: Ways to poison a case, and the failure that each must be named as.
POISONS = {
    "truncated": "input",
    "blank": "registration",
    "wrong": "registration",
    "hanging": "time",
    "killed": "killed",
}
#: Most seconds of a case here: generated ones take a few.
TIME_LIMIT_S = 120.0
OPTIONS = CaseOptions(preset="fast", report=False)
SEED = 7
#: Seconds between two looks at how far a run is that will be killed.
LOOK_S = 0.05
#: The file that says that the run without kills has ended, and what it took.
WHOLE = "whole.json"


@dataclass(frozen=True)
class PoisonedTask(RegisterTask):
    """A case whose process meets what no file can bring about."""

    poison: str

    def run(self, folder: Path) -> TaskResult:  # noqa: ARG002 - nothing is left there
        if self.poison == "hanging":  # as a reader that waits for a disk that does not answer
            time.sleep(10 * TIME_LIMIT_S)
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
        raise AssertionError("it is killed")


@dataclass(frozen=True)
class TrivialTask:
    """A case that does nothing."""

    id: str
    needs: tuple[str, ...] = ()

    def make_key(self) -> str:
        return hashlib.sha256(self.id.encode()).hexdigest()

    def run(self, folder: Path) -> TaskResult:  # noqa: ARG002 - nothing is left there
        return TaskResult("ok")


def make_tasks(out: Path, cases: int) -> tuple[list[Task], dict[str, str]]:
    """Return the tasks of generated cases, and the poison of those that have one."""
    data = out / "data"
    if not data.is_dir():
        PhantomJob(out=data, cases=cases, size_px=SIZE_PX, difficulty="easy").run()
    found = read_manifest(data / "pairs.csv")
    count = max(len(POISONS), round(POISONED * cases))
    places = np.random.default_rng(SEED).permutation(cases)[:count]
    poisons = {found[at].id: list(POISONS)[n % len(POISONS)] for n, at in enumerate(places)}
    return [_make_task(case, poisons.get(case.id), found, data) for case in found], poisons


def _make_task(
    case: CohortCase, poison: str | None, cases: tuple[CohortCase, ...], data: Path
) -> Task:
    moving = data / f"{case.id}-{poison}.png"
    if poison in ("hanging", "killed"):
        return PoisonedTask(case, OPTIONS, poison)
    if poison == "truncated":
        moving = moving.with_suffix(".ome.tiff")
        if not moving.exists():  # records hold when an input was changed
            moving.write_bytes(case.moving.read_bytes()[:4000])
    elif poison == "blank":
        import PIL.Image

        if not moving.exists():
            PIL.Image.new("RGB", (SIZE_PX, SIZE_PX), (244, 243, 245)).save(moving)
    elif poison == "wrong":
        at = next(n for n, other in enumerate(cases) if other.id == case.id)
        moving = cases[(at + 1) % len(cases)].moving
    else:
        return RegisterTask(case, OPTIONS)
    values = {**vars(case), "moving": moving, "fixed_landmarks": None, "moving_landmarks": None}
    return RegisterTask(CohortCase(**values), OPTIONS)


def run(tasks: list[Task], out: Path, workers: int) -> CohortOutcome:
    settings = RunSettings(
        limits=Limits(time_s=TIME_LIMIT_S, memory_gb=2, attempts=1), workers=workers
    )
    return run_tasks(tasks, CohortFolder(out), settings, ignore_progress, ignore_note)


@dataclass(frozen=True)
class Cost:
    """What a run took, in wall and processor seconds."""

    seconds: float
    cpu_s: float
    case_seconds: float
    case_cpu_s: float
    workers: int

    @property
    def busy(self) -> float:
        """The share of the time in which a worker had a case."""
        return self.case_seconds / (self.workers * self.seconds)

    @property
    def overhead(self) -> float:
        """Processor time outside of cases, as a share of theirs."""
        return self.cpu_s / self.case_cpu_s - 1


def measure_run(tasks: list[Task], out: Path, workers: int) -> tuple[CohortOutcome, Cost]:
    """Return what became of tasks, and what they took."""
    shutil.rmtree(out, ignore_errors=True)
    before = read_cpu_s()
    outcome = run(tasks, out, workers)
    cost = Cost(
        seconds=outcome.progress.seconds,
        cpu_s=read_cpu_s() - before,
        case_seconds=sum(_read_column(out / "timings.csv", "seconds")),
        case_cpu_s=sum(_read_column(out / "timings.csv", "cpu_s")),
        workers=workers,
    )
    return outcome, cost


def read_cpu_s() -> float:
    """Return the processor seconds of this process and of those that it has ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_poisoned(out: Path, cases: int) -> dict[str, Any]:
    """Return what became of all cases on two workers, and what the machinery took."""
    tasks, poisons = make_tasks(out, cases)
    outcome, cost = measure_run(tasks, out / "two", 2)
    failed = {item.id: item.kind for item in outcome.list_failed()}
    return {
        "cases": cases,
        "ok": outcome.progress.statuses["ok"],
        "fallback": outcome.progress.statuses["fallback"],
        "poisoned": len(poisons),
        "named_rightly": sum(failed.get(name) == POISONS[kind] for name, kind in poisons.items()),
        "good_without_result": sorted(set(failed) - set(poisons)),
        "seconds": cost.seconds,
        "cpu_s_a_case": cost.case_cpu_s / cases,
        "overhead_cpu": cost.overhead,
        "busy": cost.busy,
        "peak_mb": max(_read_column(out / "two" / "timings.csv", "peak_mb")),
    }


def measure_speedup(out: Path, cases: int, sample: int) -> dict[str, Any]:
    """Return the throughput of two workers against one, as the clock says and as it would be.

    The clock is wrong where others use the cores. On free cores the throughput is that of workers
    that are as busy as here, with cases that take the processor seconds that they took here.
    """
    tasks, poisons = make_tasks(out, cases)
    good = [task for task in tasks if task.id not in poisons][:sample]
    _, one = measure_run(good, out / "one", 1)
    _, two = measure_run(good, out / "clean", 2)
    return {
        "sample": len(good),
        "speedup_wall": one.seconds / two.seconds,
        "speedup_free": 2 * (two.busy / one.busy) * (one.case_cpu_s / two.case_cpu_s),
        "busy_one": one.busy,
        "busy_two": two.busy,
        "cpu_s_a_case_one": one.case_cpu_s / len(good),
        "cpu_s_a_case_two": two.case_cpu_s / len(good),
        "overhead_cpu_one": one.overhead,
        "load": os.getloadavg()[0],
    }


def measure_kills(out: Path, cases: int, kills: int) -> dict[str, Any]:
    """Return whether a run that is killed again and again ends with the bytes of another.

    That other one is made once. Kills come at random moments of the whole run: after so many cases
    as the seed draws, and a part of the next.
    """
    tasks, _ = make_tasks(out, cases)
    case_s = run_whole(tasks, out) / cases
    shutil.rmtree(out / "killed", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.cohort", "resume"]
    command += ["--out", str(out), "--cases", str(cases)]
    met = []
    for moment in draw_moments(cases, kills):
        process = subprocess.Popen(command, start_new_session=True)
        if wait_for_cases(process, out, int(moment)):
            time.sleep(moment % 1 * case_s)
            process.kill()
            met.append(count_finished(out))
        process.wait()
    subprocess.run(command, check=True)
    same = read_bytes(out / "killed") == read_bytes(out / "whole")
    return {"kill_cases": cases, "finished_at_kills": met, "same_bytes_after_kills": same}


def run_whole(tasks: list[Task], out: Path) -> float:
    """Run all tasks without an interruption, where that is not done; return the seconds it took."""
    record = out / WHOLE
    if record.exists():
        values = json.loads(record.read_text())
        if values["tasks"] == [task.make_key() for task in tasks]:
            return float(values["seconds"])
        record.unlink()
    outcome, _ = measure_run(tasks, out / "whole", 2)
    seconds = outcome.progress.seconds
    values = {"seconds": seconds, "tasks": [task.make_key() for task in tasks]}
    record.write_text(json.dumps(values))
    return seconds


def draw_moments(cases: int, kills: int) -> list[float]:
    """Return the moments of kills, in cases, from the first to the last, any as likely."""
    return sorted(np.random.default_rng(SEED).uniform(0, cases - 1, kills).tolist())


def wait_for_cases(process: subprocess.Popen[bytes], out: Path, count: int) -> bool:
    """Wait until a run has begun and so many cases are finished; return whether it still runs."""
    began = time.time()
    while read_changed(out) < began or count_finished(out) < count:
        if process.poll() is not None:
            return False
        time.sleep(LOOK_S)
    return True


def read_changed(out: Path) -> float:
    """Return when the killed cohort last said how far it is; 0 where it never did."""
    status = out / "killed" / "status.json"
    return status.stat().st_mtime if status.exists() else 0.0


def count_finished(out: Path) -> int:
    """Return how many cases of the killed cohort have ended."""
    return len(list((out / "killed" / TIMES).glob("*.json")))


def read_bytes(folder: Path) -> dict[str, str]:
    """Return a hash of every file of a cohort that holds no duration."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith(
            ("times/", "timings.csv", "status.json")
        )
    }


def measure_trivial(out: Path, cases: int) -> dict[str, Any]:
    """Return what the machinery takes for cases that do nothing, in time and memory."""
    peaks = {}
    for count in (cases // 10, cases):
        shutil.rmtree(out / "trivial", ignore_errors=True)
        began = time.monotonic()
        run([TrivialTask(f"t{number}") for number in range(count)], out / "trivial", 2)
        ms = 1000 * (time.monotonic() - began) / count
        peaks[count] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count} trivial cases: {ms:.1f} ms a case, peak {peaks[count]:.0f} MiB")
    return {"cases": cases, "peak_mib": peaks, "ms_a_case": ms}


def measure_blocks(out: Path, data: Path) -> dict[str, Any]:
    """Return errors of landmarks, directly and through the third slide, of every two stains."""
    from stainbridge.cohort.blocks.results import read_results
    from stainbridge.cohort.job import CohortJob
    from stainbridge.geometry.landmarks import Landmarks
    from stainbridge.geometry.point_table import read_point_table
    from stainbridge.metrics.landmarks import score_landmarks
    from stainbridge.slides.open import open_slide

    with (data / "pairs.csv").open(newline="") as file:
        slides = {
            row[side]: row[f"{side}_landmarks"]
            for row in csv.DictReader(file)
            for side in ("fixed", "moving")
        }
    lines = ["block,slide,stain,landmarks"]
    lines += [
        f"block,{data / slide},{Path(slide).stem.split('-')[4]},{data / points}"
        for slide, points in slides.items()
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "blocks.csv").write_text("\n".join(lines) + "\n")
    job = CohortJob(
        manifest=out / "blocks.csv", out=out / "blocks", options=CaseOptions(report=False)
    )
    job.run()
    block = job.list_blocks()[0]
    opened = {slide.name: open_slide(slide.path) for slide in block.slides}
    spaces = {name: slide.frame.space for name, slide in opened.items()}
    results = read_results(block, spaces, CohortFolder(job.out))
    marks = {}
    for slide in block.slides:
        assert slide.landmarks is not None
        frame = opened[slide.name].frame
        table = read_point_table(slide.landmarks)
        marks[slide.name] = Landmarks(table.to_px(frame), table.labels, frame)
    found: dict[str, Any] = {}
    for fixed in marks:
        for moving in marks:
            (third,) = set(marks) - {fixed, moving} if fixed != moving else ("",)
            if not third:
                continue
            for way in ((fixed, moving), (fixed, third, moving)):
                scores = score_landmarks(results.compose(way), marks[fixed], marks[moving])
                found[" > ".join(way)] = scores.after.rtre.median
    return found


def _read_column(path: Path, column: str) -> list[float]:
    with path.open(newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=("cases", "speedup", "kills", "resume", "trivial", "blocks")
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "resume":
        run(make_tasks(given.out, given.cases)[0], given.out / "killed", 2)
        return
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "cases": lambda: measure_poisoned(given.out, given.cases),
        "speedup": lambda: measure_speedup(given.out, given.cases, given.sample),
        "kills": lambda: measure_kills(given.out, given.cases, given.kills),
        "trivial": lambda: measure_trivial(given.out, given.cases),
        "blocks": lambda: measure_blocks(given.out, given.data),
    }
    figures = measures[given.what]()
    (given.out / f"{given.what}.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    # Tasks are unpacked in other processes, which know this file as a module and not as a script.
    import_module("benchmarks.cohort").main()
