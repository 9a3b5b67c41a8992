"""Print what a user waits for: seconds, processor seconds and memory of each verb.

    python benchmarks/speed.py                     # about a quarter of an hour on two cores
    python benchmarks/speed.py --only start,warp   # some of the tables
    python benchmarks/speed.py --large             # warps 40 000 pixels as well

Every figure is of a process of its own, one after the other. Two that are compared run in turn, as
often as `--repeat` says; the least of each counts. Slides are generated once and kept in --work.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TASKS = Path(__file__).with_name("speed_tasks.py")
#: Sides of slides of 1, 4, 16 and 64 times the pixels.
GROWING_PX = (2_500, 5_000, 10_000, 20_000)
#: Side of the slide that is translated; the one that is mostly glass has twice of it.
TRANSLATED_PX = 4_096
#: Options of `phantom` for the sections that are registered.
PAIR = ("--cases", "1", "--size", "900", "--stains", "he,ki67", "--seed", "1")


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    """From its start to its end, or as it says itself."""
    cpu_s: float
    """Processor seconds of all threads."""
    peak_mb: float
    """Peak resident memory."""
    figures: tuple[float, ...] = ()
    """What else it printed."""


def run(
    command: Sequence[str | Path], *, threads: int | None = None, ends: Sequence[int] = (0,)
) -> Cost:
    """Run a command to its end; raises `CalledProcessError` for another exit code than `ends`."""
    limits = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | limits,
        text=True,
    )
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ends:
        raise subprocess.CalledProcessError(process.returncode, process.args, text)
    words = text.split() if str(TASKS) in map(str, command) else []
    figures = tuple(float(word) for word in words)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Cost(figures[0] if figures else seconds, cpu_s, usage.ru_maxrss / 1024, figures[1:])


def run_task(task: str, *arguments: str | Path, threads: int | None = None) -> Cost:
    """Run one of `speed_tasks.py`."""
    if threads is not None:
        arguments = (*arguments, "--threads", str(threads))
    return run([sys.executable, TASKS, task, *arguments], threads=threads)


def stainbridge(
    *arguments: str | Path, threads: int | None = None, ends: Sequence[int] = (0,)
) -> Cost:
    """Run a verb of the command."""
    command = [sys.executable, "-m", "stainbridge", *arguments]
    return run(command, threads=threads, ends=ends)


def run_in_turn(tasks: dict[str, Callable[[], Cost]], repeat: int) -> dict[str, Cost]:
    """Run all tasks one after the other, `repeat` times; return each one's fastest."""
    costs: dict[str, list[Cost]] = {name: [] for name in tasks}
    for _ in range(repeat):
        for name, task in tasks.items():
            costs[name].append(task())
    return {name: min(each, key=lambda cost: cost.seconds) for name, each in costs.items()}


@dataclass(frozen=True)
class Bench:
    """Where slides are kept, and how often tasks are repeated."""

    work: Path
    repeat: int
    large: bool
    growing_px: tuple[int, ...] = GROWING_PX
    """Sides of the slides that cost grows with."""
    translated_px: int = TRANSLATED_PX
    """Side of the slide that is translated."""

    def slide(self, size: int, glass: float | None = None) -> Path:
        """Return a generated slide of tissue."""
        name = f"tissue_{size}" if glass is None else f"tissue_{size}_glass_{glass:g}"
        path = self.work / f"{name}.tiff"
        if not path.exists():
            share = [] if glass is None else ["--glass", str(glass)]
            run_task("generate", path, "--size", str(size), *share)
        return path

    def pair(self) -> tuple[Path, Path]:
        """Return two generated sections of 900 pixels."""
        folder = self.work / "pair"
        if not folder.exists():
            stainbridge("phantom", "--out", folder, *PAIR)
        images = sorted((folder / "images").iterdir())
        return images[0], images[1]


def show_start(bench: Bench) -> None:
    """Compare whole commands with `import torch` alone."""
    fixed, moving = bench.pair()
    slides = ("--fixed", fixed, "--moving", moving, "--out", bench.work / "out", "--overwrite")

    def register(preset: str) -> Cost:
        return stainbridge("register", *slides, "--preset", preset)

    def start() -> Cost:
        out = bench.work / "first"
        return run_task("first-stage", fixed, moving, out, "--began", str(time.time()))

    costs = run_in_turn(
        {
            "import torch": lambda: run([sys.executable, "-c", "import torch"]),
            "register, to the first stage": start,
            "register --preset fast": lambda: register("fast"),
            "register --preset default": lambda: register("default"),
            "warp --help": lambda: stainbridge("warp", "--help"),
        },
        bench.repeat,
    )
    show_table("two sections of 900 px, whole commands", costs, "import torch", "of torch")


def show_warp(bench: Bench) -> None:
    """Compare `warp slide` with pyvips' rewriting and its own warp."""
    slides = {f"{size} px": bench.slide(size) for size in (20_000, *[40_000] * bench.large)}
    slides["20000 px, 70 % glass"] = bench.slide(20_000, 0.7)
    names = {"rewrite": "pyvips, unwarped", "mapim": "pyvips, mapim", "warp": "stainbridge, warped"}
    for label, source in slides.items():

        def warp(task: str, source: Path = source) -> Cost:
            return run_task(task, source, bench.work / f"{task}.tiff")

        tasks = {name: (lambda task=task: warp(task)) for task, name in names.items()}
        costs = run_in_turn(tasks, bench.repeat)
        show_table(f"warp slide, {label}", costs, "pyvips, unwarped", "of unwarped")


def show_tiles(bench: Bench) -> None:
    """Print how long a tile of a warped slide takes."""
    cost = run_task("tiles", bench.slide(40_000 if bench.large else 20_000))
    median_ms, p95_ms = cost.figures
    print(f"\na 256-px tile of a warped slide, warm: median {median_ms:.1f}, p95 {p95_ms:.1f} ms")


def show_translate(bench: Bench) -> None:
    """Compare `translate` with the bare network over the same pixels."""
    tissue = bench.slide(bench.translated_px, 0.0)
    glass = bench.slide(2 * bench.translated_px, 0.95)
    out = bench.work / "translated.tiff"
    costs = run_in_turn(
        {
            "bare network": lambda: run_task("network", tissue),
            "translate, all tissue": lambda: run_task("translate", tissue, out),
            "translate, 4 times the pixels, 95 % glass": lambda: run_task("translate", glass, out),
        },
        bench.repeat,
    )
    show_table(f"translate, {bench.translated_px} px", costs, "bare network", "of bare")


def show_growth(bench: Bench) -> None:
    """Print how cost grows with the slide, and what a second thread brings."""
    verbs = {
        "warp slide": grow_warp,
        "register --preset fast": grow_register,
        "translate": grow_translate,
    }
    for verb, measure in verbs.items():
        print(f"\n{verb}\n{'px':>7} {'threads':>8} {'seconds':>8} {'CPU s':>7} {'peak MB':>8}")
        by_threads: dict[int, list[Cost]] = {1: [], 2: []}
        for size in bench.growing_px:
            for threads, costs in by_threads.items():
                cost = measure(bench, size, threads)
                costs.append(cost)
                times = f"{cost.seconds:8.1f} {cost.cpu_s:7.1f}"
                print(f"{size:7} {threads:8} {times} {cost.peak_mb:8.0f}", flush=True)
        one, two = by_threads.values()
        seconds = slope(bench.growing_px, [cost.seconds for cost in two])
        memory = slope(bench.growing_px, [cost.peak_mb for cost in two])
        print(f"seconds grow as pixels to the power {seconds:.2f}, memory {memory:.2f}")
        gain = one[-1].seconds / two[-1].seconds
        print(f"two threads at {bench.growing_px[-1]} px: {gain:.2f} times")


def grow_warp(bench: Bench, size: int, threads: int) -> Cost:
    """Warp a slide of this size."""
    return run_task("warp", bench.slide(size), bench.work / f"warped_{size}.tiff", threads=threads)


def grow_register(bench: Bench, size: int, threads: int) -> Cost:
    """Register a slide of this size to its warped copy; failing costs as much or more."""
    slides = ("--fixed", bench.slide(size), "--moving", bench.work / f"warped_{size}.tiff")
    out = ("--out", bench.work / "out", "--overwrite", "--preset", "fast")
    threaded = ("--threads", str(threads))
    return stainbridge("register", *slides, *out, *threaded, threads=threads, ends=(0, 3))


def grow_translate(bench: Bench, size: int, threads: int) -> Cost:
    """Translate a slide of this size at the network's pixel size, which is four times its own."""
    out = bench.work / "translated.tiff"
    return run_task("translate", bench.slide(size), out, "--mpp", "0.25", threads=threads)


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the exponent of growth with the pixels, by least squares of logarithms."""
    x = [2 * math.log(size) for size in sizes]
    y = [math.log(value) for value in values]
    mean_x = sum(x) / len(x)
    mean_y = sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def show_table(title: str, costs: dict[str, Cost], base: str, ratio: str) -> None:
    """Print costs, and their seconds ÷ those of `base`."""
    print(f"\n{title}\n{'':44} {'seconds':>8} {'CPU s':>7} {'peak MB':>8} {ratio:>12}")
    for name, cost in costs.items():
        times = f"{cost.seconds:8.2f} {cost.cpu_s:7.2f} {cost.peak_mb:8.0f}"
        print(f"{name:44} {times} {cost.seconds / costs[base].seconds:12.2f}", flush=True)


TABLES = {
    "start": show_start,
    "warp": show_warp,
    "tiles": show_tiles,
    "translate": show_translate,
    "growth": show_growth,
}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(TABLES), help="tables, with commas between")
    parser.add_argument("--large", action="store_true", help="warp 40 000 x 40 000 as well")
    parser.add_argument("--repeat", type=int, default=2, help="runs of what is compared")
    growing = ",".join(map(str, GROWING_PX))
    parser.add_argument("--growing", default=growing, help="sides of slides that cost grows with")
    parser.add_argument("--translated", type=int, default=TRANSLATED_PX, help="side in pixels")
    work = Path(tempfile.gettempdir()) / "stainbridge_speed"
    parser.add_argument("--work", type=Path, default=work, help="where slides are kept")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        arguments.work,
        arguments.repeat,
        arguments.large,
        tuple(int(size) for size in arguments.growing.split(",")),
        arguments.translated,
    )
    for name in arguments.only.split(","):
        TABLES[name](bench)
    print(f"\n(load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
