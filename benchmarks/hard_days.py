"""Run every verb on hard days: full streams and disks, other locales, early Ctrl-C, no home.

    python -m benchmarks.hard_days --work hard-work --out hard.csv [--only warp] [--day ascii]

Each verb runs once to its end on a good day, as in `benchmarks.kills`, whose inputs and verbs these
are. Then each runs in a process of its own on each hard day. A row is good where the exit code is
the right one, standard error has one line of ours for a refusal and no trace of Python, no hidden
file is left, and what was written is what a good day writes.

Ctrl-C while libraries load does not come by the clock: it comes with the Nth module that is loaded.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from benchmarks.kills import (
    VERBS,
    Verb,
    import_all,
    make_inputs,
    place,
    read_content,
    remove,
    run_whole,
)

MAIN = "from stainbridge.cli.main import main\nmain()"
#: A folder that is not there and cannot be made.
NOWHERE = "/dev/null/nowhere"
#: No folder for temporary files that can be used.
NO_TEMP = f"import tempfile\ntempfile._candidate_tempdir_list = lambda: [{NOWHERE!r}]\n{MAIN}"
#: A disk that is full when a file has so many bytes.
FULL_DISK = """import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
"""
#: How large a file may be then, at least and at most, and how many such days a verb has.
FILE_BYTES = (4096, 400_000)
FULL_TIMES = 2
#: Ctrl-C as soon as so many modules were loaded; none before the command has begun.
EARLY_CTRL_C = """import os, signal, sys
from stainbridge.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
left = {count}
def count_down(event, arguments):
    global left
    if event == "import":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
load_app = main.load_app
def load(arguments):
    sys.addaudithook(count_down)
    return load_app(arguments)
main.load_app = load
main.main()"""
#: Most modules that are loaded before Ctrl-C, and how many times it comes to each verb.
MOST_MODULES = 1500
EARLY_TIMES = 3
#: Commands that only read, and what they print.
READING = (
    "info he.tiff",
    "info he.tiff --json",
    "evaluate landmarks --fixed-landmarks he.csv --moving-landmarks ki67.csv --result result",
    "evaluate images he.tiff ki67.tiff --json",
    "evaluate masks mask.png mask.png",
    "--version",
    "register --help",
)
TIMEOUT_S = 600.0
OK = 0
REFUSED = 2
#: A cohort names the cases that failed and goes on with the others.
CASES_FAILED = 3
CLOSED_PIPE = "closed pipe"


@dataclass(frozen=True)
class Day:
    """What is wrong with the world, and how a command may end then."""

    name: str
    code: str = MAIN
    """What Python runs."""
    environment: tuple[tuple[str, str], ...] = ()
    stdout: str = ""
    """What standard output leads to; "" for a pipe that is read."""
    stderr: str = ""
    may_be_refused: bool = False
    """Whether exit code 2 and one line are right too."""
    codes: tuple[int, ...] = (0,)
    """Right exit codes of a command that prints a result; another one ends with 0."""
    is_written: bool = True
    """Whether the output must be complete."""
    names_output: bool = False
    """Whether a refusal must name the output, or what is in it."""
    letters: str = ""
    """Put before the name of the output's folder."""


STRICT_ASCII = (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
GOOD_DAY = Day("good day", stdout="printed.txt")
DAYS = (
    Day("full output", stdout="/dev/full", codes=(2,)),
    Day("full messages", stderr="/dev/full"),
    Day("closed output", stdout=CLOSED_PIPE, codes=(2,)),
    Day("C locale", environment=(("LC_ALL", "C"),), letters="größe µ 病 "),
    Day("ASCII streams", environment=(("PYTHONIOENCODING", "ascii"),), letters="größe µ 病 "),
    Day("ASCII names", environment=STRICT_ASCII, letters="größe µ 病 ", may_be_refused=True),
    Day("no temporary folder", code=NO_TEMP, may_be_refused=True),
    Day(
        "no home",
        environment=(("HOME", NOWHERE), ("TMPDIR", NOWHERE), ("XDG_CACHE_HOME", NOWHERE)),
    ),
)


@dataclass(frozen=True)
class Row:
    """What became of a verb on a hard day."""

    verb: str
    day: str
    exit_code: int
    fault: str
    said: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("hard-work"))
    parser.add_argument("--out", type=Path, default=Path("hard.csv"))
    parser.add_argument(
        "--only",
        default="",
        help="Verbs whose commands begin so; what they read is there from an earlier run.",
    )
    parser.add_argument("--day", default="", help="Days whose names begin so.")
    options = parser.parse_args()
    out = options.out.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    os.chdir(options.work)
    make_inputs()
    make_mask()
    for verb in VERBS:
        if verb.words.startswith(options.only):
            run_whole(verb)
    rows = []
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [item.name for item in fields(Row)])
        table.writeheader()
        for verb, day in list_trials(options.seed, options.only, options.day):
            row = try_out(verb, day)
            rows.append(row)
            table.writerow(asdict(row))
            file.flush()
            print("BAD" if row.fault else "ok ", row, flush=True)
    print(f"{len(rows)} commands, {sum(bool(row.fault) for row in rows)} faults")
    return any(row.fault for row in rows)


def make_mask() -> None:
    import numpy as np
    import PIL.Image

    area = np.zeros((64, 64), np.uint8)
    area[10:40, 20:50] = 255
    PIL.Image.fromarray(area).save("mask.png")


def list_trials(seed: int, only: str, day: str) -> Iterator[tuple[Verb, Day]]:
    """Yield each verb with each day; the moments of an early Ctrl-C come from the seed."""
    rng = random.Random(seed)
    for verb in (*VERBS, *(Verb(words, "") for words in READING)):
        early = [
            Day(
                f"Ctrl-C at module {count}",
                code=EARLY_CTRL_C.replace("{count}", str(count)),
                codes=(130, 0),
                is_written=False,
            )
            for count in (rng.randint(1, MOST_MODULES) for _ in range(EARLY_TIMES))
        ]
        limits = [
            round(math.exp(rng.uniform(*map(math.log, FILE_BYTES)))) for _ in range(FULL_TIMES)
        ]
        full = [
            Day(
                f"disk full at {limit} bytes",
                code=FULL_DISK.replace("{limit}", str(limit)) + MAIN,
                may_be_refused=True,
                names_output=True,
            )
            for limit in limits
        ]
        if verb.words.startswith(only):
            days = (*DAYS, *early, *(full if verb.out else ()))
            yield verb, GOOD_DAY
            yield from ((verb, item) for item in days if item.name.startswith(day))


def try_out(verb: Verb, day: Day) -> Row:
    """Run a verb on a hard day and look at what it says and leaves."""
    folder = Path("hard day")
    remove(folder)
    place_of_out = folder / f"{day.letters}folder"  # slides say their own name, not the folder's
    place_of_out.mkdir(parents=True)
    out = place_of_out / verb.out
    words = verb.list_words(out, again=False) if verb.out else verb.words.split()
    exit_code, said = run_on(day, words)
    fault = find_fault(verb, day, exit_code, said, out)
    if not fault:
        shutil.rmtree(folder)
    return Row(verb.words.split(" --")[0], day.name, exit_code, fault, said.strip())


def run_on(day: Day, words: list[str]) -> tuple[int, str]:
    """Return the exit code and what was said on standard error."""
    environment = {**os.environ, **dict(day.environment)}
    with open_output(day) as stdout, Path(day.stderr or "said.txt").open("wb") as stderr:
        done = subprocess.run(
            [sys.executable, "-c", day.code, *words],
            env=environment,
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=TIMEOUT_S,
        )
    said = "" if day.stderr else Path("said.txt").read_text(encoding="utf-8", errors="replace")
    return done.returncode, said


def open_output(day: Day) -> IO[bytes]:
    """Open what standard output leads to."""
    if day.stdout != CLOSED_PIPE:
        return Path(day.stdout or os.devnull).open("wb")
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


def find_fault(verb: Verb, day: Day, exit_code: int, said: str, out: Path) -> str:
    """Return what is wrong, "" for nothing."""
    is_refused = exit_code == REFUSED
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    prints = Path(GOOD_DAY.stdout).stat().st_size > 0
    codes = day.codes if prints or OK in day.codes else (OK,)
    refusals = (REFUSED, CASES_FAILED) if verb.words.startswith("cohort") else (REFUSED,)
    if exit_code not in (*codes, *(refusals if day.may_be_refused else ())):
        return f"exit code {exit_code}"
    if "Traceback" in said or "report it" in said or "Exception ignored" in said:
        return "a trace of Python"
    if is_refused and (len(errors) != 1 or said.splitlines()[-1] != errors[0]):
        return "not one line"
    if is_refused and day.names_output and out.name not in errors[0]:
        return "a line that does not name the output"
    hidden = [path.name for path in (out.parent if verb.out else out).rglob(".*")]
    if hidden:
        return f"left: {' '.join(hidden)}"
    is_whole = not verb.out or read_content(out) == read_content(place(verb))
    must_be_whole = exit_code == 0 or (is_refused and not day.may_be_refused)
    if day.is_written and must_be_whole and not is_whole:
        return "other files than on a good day"
    return ""


if __name__ == "__main__":
    import_all()
    sys.exit(main())
