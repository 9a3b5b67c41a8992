"""Kill every verb that writes at random moments; the next run must give the same bytes.

    python -m benchmarks.kills --kills 100 --seed 0 --work kills-work --out kills.csv

Each verb runs once to its end, on small generated inputs. Then it is killed by SIGKILL, at a
moment that the seed draws from its duration, and run again. The table says, kill by kill: whether
it died, whether the next run ended well, whether the files are those of the run that was not
killed, what hidden files were left, and whether a process outlived it. Interrupted,
the same command resumes.

Verbs run in forks of this process, which has imported what they need: so a kill hits the work and
not the imports. Durations, and files whose bytes hold them, are left out of the comparison.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from stainbridge.cli.main import run

#: Files that hold durations or moments in a form that cannot be compared.
TIMED_FILES = (
    "report.html",
    "benchmark.html",
    "cohort.html",
    "status.json",
    "tensorboard",
    "demo.jpg",
)
#: Names of numbers that are durations or costs of the machine.
TIMED_KEYS = ("seconds", "step_s", "cpu_s", "wall_s", "peak_mb", "Execution time [minutes]")
#: What is made of these, and where files are.
DERIVED_KEYS = ("digest", "path")
LEFT_OUT = (*TIMED_KEYS, *DERIVED_KEYS)
#: Seconds in which all processes of a killed command must have ended.
ORPHAN_S = 10.0
#: Seconds between two looks at whether a command has ended before its kill.
LOOK_S = 0.002
#: Earliest moment of a kill, in seconds.
FIRST_S = 0.005

TINY_RUN = {"workers": 0, "validation_samples": 1, "device": "cpu", "log_every": 2}
AFFINE = {
    "train": {**TINY_RUN, "accumulate": 1, "batch": 1, "validate_every": 3, "save_every_s": 0.1},
    "pairs": {"section_px": [64, 64], "cached_pairs": 1},
    "network": {"patch_px": 32, "widths": [8, 16], "features": 16, "groups": 4, "pool": 2},
}
DEFORMABLE = {
    "train": AFFINE["train"],
    "pairs": {**AFFINE["pairs"], "patch_px": 64},
    "network": {"kind": "dirnet", "poolings": 3},
}
SAR = {
    "train": {**TINY_RUN, "batch": 1, "validate_every": 3, "save_every_s": 0.1},
    "pairs": {"size_px": 64},
    "generator": {
        "width": 4, "blocks": 1, "shrink": 1, "halvings": 1, "correlation": 2, "picture": "warped",
    },
    "discriminator": {"widths": [4, 8], "features_px": 2, "hidden": 4, "shrink": 2},
    "loss": {"perceptual": {"width": 2}, "perceptual_px": 32},
    "generated": {"slides": 2, "slide_px": 128, "mpp": 16.0},
}  # fmt: skip
SBR = {
    "train": {**TINY_RUN, "batch": 1, "validate_every": 3, "save_every_s": 0.1},
    "network": {"down": [8, 8, 8], "up": [8, 8], "last": [8], "squarings": 4},
    "slices": {"longest_px": 64},
    "registration_steps": 4,
    "generator": {"width": 4, "blocks": 1, "halvings": 2},
    "objective": {"kind": "sbr", "locations": 16, "projection": 8},
}
SHARPEN = {
    "train": {**TINY_RUN, "batch": 2, "validate_every": 3, "save_every_s": 0.1},
    "sharpen": {
        "generator": {"width": 4, "growth": 2, "blocks": 1},
        "discriminator": {"width": 4, "halvings": 2},
        "perceptual": {"width": 4, "layers": [1]},
        "warm_up_steps": 2,
    },
}
PIX2PIX = {
    "train": {**TINY_RUN, "batch": 1, "validate_every": 3, "save_every_s": 0.1},
    "translation": {
        "tile_px": 32,
        "generator": {"width": 4, "halvings": 3},
        "discriminator": {"patch": {"width": 4, "halvings": 1}},
    },
}
CONFIGS = {
    "affine": AFFINE,
    "deformable": DEFORMABLE,
    "pix2pix": PIX2PIX,
    "sar": SAR,
    "sbr": SBR,
    "sharpen": SHARPEN,
}


@dataclass(frozen=True)
class Verb:
    """A command that writes `out`, relative to the working folder."""

    words: str
    """The command; of a training without `--resume`, which its next run has."""
    out: str
    every: int = 1
    """It is killed in one round of this many: some take long."""

    def list_words(self, out: Path, *, again: bool) -> list[str]:
        more = ["--resume"] if again and self.words.startswith("train") else []
        return [*self.words.split(), "--out", str(out), *more]


VERBS = (
    Verb("phantom --cases 1 --size 160 --mpp 24 --seed 3", "set"),
    Verb("phantom --slices 2 --size 128 --mpp 16", "stack"),
    Verb("register --fixed he.tiff --moving ki67.tiff --preset fast --write-slide", "result"),
    Verb("warp slide result", "warped.ome.tiff"),
    Verb("warp slide result --compression zstd", "warped.ome.zarr"),
    Verb("warp points result points.csv", "points.csv"),
    Verb("warp geojson result in.geojson", "out.geojson"),
    Verb("translate he.tiff --model he-panck --slide-mpp 1.0 --tile 128", "panck.ome.tiff"),
    Verb("train affine --data pairs.csv --config affine.yaml --steps 8", "affine"),
    Verb(
        "train translate --objective pix2pix-unet --data tiles --config pix2pix.yaml --steps 8",
        "pix2pix",
    ),
    Verb("train deformable --data pairs.csv --config deformable.yaml --steps 7", "deformable", 3),
    Verb("train sar --data generated --config sar.yaml --steps 7", "sar", 3),
    Verb("train sbr --data stack --config sbr.yaml --steps 7", "sbr", 3),
    Verb("train sharpen --data tiles --config sharpen.yaml --steps 7", "sharpen", 3),
    Verb("pairs --fixed he.tiff --moving ki67.tiff --patch 64 --max-residual 64", "pairs", 6),
    Verb("benchmark landmarks pairs.csv --methods identity,orb", "bench", 6),
    Verb("benchmark synthesis --data pairs.csv --methods identity --patch 32", "synthesis"),
    Verb("evaluate slices --data stack --methods identity,affine", "slices"),
    Verb("evaluate translation --data tiles --models pix2pix", "scores"),
    Verb("export onnx --model pix2pix", "model.onnx", 6),
    Verb("export affine result", "matrix.csv", 3),
    Verb("cohort pairs.csv --preset fast --no-report --workers 1", "cohort", 6),
    Verb("demo --no-browser --size 400", "demo", 6),
)


@dataclass(frozen=True)
class Row:
    """What became of one kill."""

    number: int
    verb: str
    moment_s: float
    died: bool
    next_code: int
    same: bool
    left: str
    orphans: int

    @property
    def is_good(self) -> bool:
        return self.next_code == 0 and self.same and not self.left and not self.orphans


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("kills-work"))
    parser.add_argument("--out", type=Path, default=Path("kills.csv"))
    parser.add_argument("--only", default="", help="Verbs whose commands begin so.")
    options = parser.parse_args()
    out = options.out.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    os.chdir(options.work)
    make_inputs()
    verbs = [verb for verb in VERBS if verb.words.startswith(options.only)]
    whole = {verb: run_whole(verb) for verb in VERBS}
    rng = random.Random(options.seed)
    plan = [
        (number, verb, rng.uniform(FIRST_S, whole[verb]))
        for number, verb in enumerate(islice(take_turns(verbs), options.kills))
    ]
    rows = read_rows(out)
    if [row.moment_s for row in rows] != [round(moment_s, 3) for *_, moment_s in plan[: len(rows)]]:
        rows = []  # of another seed
    with out.open("a" if rows else "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [item.name for item in fields(Row)])
        if not rows:
            table.writeheader()
        for number, verb, moment_s in plan[len(rows) :]:
            row = kill(number, verb, moment_s)
            rows.append(row)
            table.writerow(asdict(row))
            file.flush()
            print("ok " if row.is_good else "BAD", row, flush=True)
    bad = [row for row in rows if not row.is_good]
    print(f"{len(rows)} kills, {sum(row.died for row in rows)} hit, {len(bad)} bad")
    return 1 if bad else 0


def read_rows(path: Path) -> list[Row]:
    """Return the rows that an interrupted run has written."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(
                number=int(row["number"]),
                verb=row["verb"],
                moment_s=float(row["moment_s"]),
                died=row["died"] == "True",
                next_code=int(row["next_code"]),
                same=row["same"] == "True",
                left=row["left"],
                orphans=int(row["orphans"]),
            )
            for row in csv.DictReader(file)
        ]


def take_turns(verbs: list[Verb]) -> Iterator[Verb]:
    """Yield verbs round after round, without end."""
    for turn in count():
        yield from (verb for verb in verbs if (turn + 1) % verb.every == 0)


def make_inputs() -> None:
    """Write slides, points, annotations, a table, tiles and settings, where they are missing."""
    import PIL.Image

    from stainbridge.geometry.landmarks import write_points_csv
    from stainbridge.phantom.pairs.pair import generate_pair
    from stainbridge.slides.writing.write import write_slide

    if Path("ready").exists():
        return
    pair = generate_pair(seed=5, size_px=320, mpp=8.0, moving_stain="Ki67")
    for name, slide, landmarks in (
        ("he", pair.fixed, pair.fixed_landmarks),
        ("ki67", pair.moving, pair.moving_landmarks),
    ):
        write_slide(slide, Path(f"{name}.tiff"), file_format="tiff", overwrite=True)
        write_points_csv(Path(f"{name}.csv"), landmarks.points_px, landmarks.labels)
    write_points_csv(
        Path("points.csv"), pair.moving_landmarks.points_px, pair.moving_landmarks.labels
    )
    Path("in.geojson").write_text('{"type": "Point", "coordinates": [100, 120]}')
    Path("pairs.csv").write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks\n"
        "one,he.tiff,ki67.tiff,he.csv,ki67.csv\n"
    )
    for name, config in CONFIGS.items():
        Path(f"{name}.yaml").write_text(yaml.safe_dump(config))
    whole = pair.fixed.read(pair.fixed.frame).pixels
    for number in range(6):
        tile = whole[:, 64 + 32 * number : 96 + 32 * number, 128:160].transpose(1, 2, 0)
        split = "test" if number % 3 == 0 else "train"
        for stain, pixels in (("HE", tile), ("IHC", 255 - tile)):
            path = Path("tiles", stain, split, f"{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(pixels.copy()).save(path)
    Path("ready").touch()


def run_whole(verb: Verb) -> float:
    """Run a verb to its end where that is not done; return its duration in seconds.

    What it writes stands in the working folder, where later verbs read it.
    """
    marker = Path(f".whole-{VERBS.index(verb)}.json")
    if marker.exists():
        return float(json.loads(marker.read_text())["duration_s"])
    began = time.monotonic()
    remove(Path(place(verb)))
    code = wait(start(verb.list_words(place(verb), again=False)))
    if code != 0:
        raise RuntimeError(f"{verb.words}: ended with {code}")
    duration_s = time.monotonic() - began
    marker.write_text(json.dumps({"duration_s": duration_s}))
    print(f"{duration_s:6.2f} s  {verb.words}", flush=True)
    return duration_s


def place(verb: Verb) -> Path:
    """Return where the run that is not killed writes."""
    return Path("whole-points.csv" if verb.out == "points.csv" else verb.out)


def kill(number: int, verb: Verb, moment_s: float) -> Row:
    """Kill a verb after so many seconds, run it again and compare."""
    folder = Path(f"kill-{number:04d}")
    remove(folder)
    folder.mkdir()
    out = folder / verb.out
    child = start(verb.list_words(out, again=False))
    wait_for_end(child, moment_s)
    os.kill(child, signal.SIGKILL)
    died = wait(child) < 0
    orphans = count_orphans(child)
    code = 0 if not died else wait(start(verb.list_words(out, again=True)))
    same = read_content(out) == read_content(place(verb))
    left = [str(path.relative_to(folder)) for path in folder.rglob(".*")]
    left += [str(path.relative_to(folder)) for path in folder.glob("*.parts")]
    row = Row(number, verb.words.split(" --")[0], round(moment_s, 3), died, code, same,
              " ".join(left), orphans)  # fmt: skip
    if row.is_good:
        shutil.rmtree(folder)
    return row


def start(words: list[str]) -> int:
    """Run a command in a fork that leads a session of its own; return its process id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    print("$", *words, flush=True)
    code = 99
    try:
        code = run(words)
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait_for_end(child: int, limit_s: float) -> None:
    """Wait until a process has ended, or so many seconds; it can still be waited for."""
    end = time.monotonic() + limit_s
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while time.monotonic() < end and os.waitid(os.P_PID, child, options) is None:
        time.sleep(LOOK_S)


def wait(child: int) -> int:
    """Return the exit code of a process, or the negative signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_orphans(session: int) -> int:
    """Return how many processes of a session outlive its leader."""
    end = time.monotonic() + ORPHAN_S
    alive = list_session(session)
    while alive and time.monotonic() < end:
        time.sleep(0.05)
        alive = list_session(session)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return len(alive)


def list_session(session: int) -> list[int]:
    """Return the processes of a session, and those that benchmarks moved to their own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        is_of_it = int(own) == session or _is_stray(folder, int(parent))
        if state != "Z" and is_of_it:
            found.append(int(folder.name))
    return found


def _is_stray(folder: Path, parent: int) -> bool:
    """Return whether a benchmark's worker works for nobody in this folder."""
    try:
        command = (folder / "cmdline").read_bytes()
    except OSError:
        return False
    return (
        parent == 1
        and b"stainbridge.evaluate.worker" in command
        and os.fsencode(Path.cwd()) in command
    )


def read_content(path: Path) -> dict[str, Any]:
    """Return all visible files of an output and what they say, without durations."""
    if not path.exists():
        return {}
    if path.is_file():
        return {"": _read(path)}
    return {
        file.relative_to(path).as_posix(): _read(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part in TIMED_FILES for part in file.relative_to(path).parts)
    }


def _read(path: Path) -> Any:
    if path.suffix in (".json", ".jsonl"):
        lines = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
        return [_without_times(json.loads(line)) for line in lines]
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [_without_times(row) for row in csv.DictReader(file)]
    if path.suffix == ".onnx":  # its writer orders tables by chance
        import onnx

        return onnx.load(path).SerializeToString(deterministic=True)
    return path.read_bytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in LEFT_OUT}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def import_all() -> None:
    """Import what verbs import, so that forks begin with their work."""
    import lightning_fabric  # noqa: F401
    import torch.utils.tensorboard  # noqa: F401

    from stainbridge.evaluate import benchmark, page  # noqa: F401
    from stainbridge.evaluate.synthesis import benchmark as synthesis  # noqa: F401
    from stainbridge.jobs import demo, pair_set, register, train_translate, translate  # noqa: F401
    from stainbridge.joint import synthesis as joint  # noqa: F401
    from stainbridge.learn import loop  # noqa: F401
    from stainbridge.registration import pipeline  # noqa: F401
    from stainbridge.report import write  # noqa: F401
    from stainbridge.translation.inference import onnx_file  # noqa: F401


if __name__ == "__main__":
    import_all()
    sys.exit(main())
