"""Try damaged inputs of every kind on the command and count how it ends.

python -m benchmarks.fuzz                       # 2,400 inputs on two processes
python -m benchmarks.fuzz --inputs 200 --seed 7 --kind geojson
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.fuzz.damage import BYTE_DAMAGE, damage_values
from benchmarks.fuzz.pool import Worker
from benchmarks.fuzz.samples import INPUT, OUT, Sample, make_samples
from benchmarks.fuzz.verdicts import FAULTS, judge

#: Kinds of text whose values are damaged too.
TEXTS = (".json", ".geojson", ".yaml", ".csv")


def main() -> int:
    """Run and print the table; return 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kind", default="", help="only kinds that begin so")
    parser.add_argument(
        "--out",
        type=Path,
        help="keep one JSON line an input in this file; an interrupted run resumes",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        samples = [
            sample
            for sample in make_samples(Path(folder) / "samples")
            if sample.kind.startswith(options.kind)
        ]
        rows = read_rows(options.out, options.seed)[: options.inputs]
        for row in run_all(
            samples,
            range(len(rows), options.inputs),
            options.seed,
            options.processes,
            Path(folder),
        ):
            rows.append(row)
            if options.out:
                with options.out.open("a" if len(rows) > 1 else "w", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    print_table(rows)
    print_faults(rows)
    return int(any(row["fault"] for row in rows))


def read_rows(path: Path | None, seed: int) -> list[dict[str, Any]]:
    """Return the rows that an interrupted run of the same seed has written."""
    if path is None or not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    is_same = all(row["seed"] == f"{seed}:{number}" for number, row in enumerate(rows))
    return rows if is_same else []


def run_all(
    samples: list[Sample], numbers: range, seed: int, processes: int, folder: Path
) -> Iterator[dict[str, Any]]:
    """Try damaged copies of the samples, each kind as often, and yield a row for each."""
    kinds = defaultdict(list)
    for sample in samples:
        kinds[sample.kind].append(sample)
    turns = list(kinds.values())
    workers: SimpleQueue[Worker] = SimpleQueue()
    for _ in range(processes):
        workers.put(Worker())

    def try_one(number: int) -> dict[str, Any]:
        worker = workers.get()
        try:
            of_kind = turns[number % len(turns)]
            sample = of_kind[number // len(turns) % len(of_kind)]
            return try_input(sample, f"{seed}:{number}", worker, folder)
        finally:
            workers.put(worker)

    with ThreadPoolExecutor(processes) as pool:
        yield from pool.map(try_one, numbers)
    while not workers.empty():
        workers.get().end()


def try_input(sample: Sample, seed: str, worker: Worker, folder: Path) -> dict[str, Any]:
    """Damage one copy as the seed says, run its command, and return the row."""
    random_ = random.Random(seed)
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        named, damaged = _copy(sample, place / "in")
        data = sample.path.read_bytes()
        way = random_.choice(BYTE_DAMAGE)
        is_text = sample.path.suffix in TEXTS
        if is_text and random_.random() < 0.7:
            name, changed = "values", damage_values(data, random_, sample.path.suffix)
        else:
            name, changed = way.__name__, way(data, random_)
        damaged.write_bytes(changed)
        (place / "out").mkdir()
        words = {INPUT: str(named), OUT: str(place / "out")}
        command = [words.get(word, word.replace(OUT, words[OUT])) for word in sample.command]
        answer = worker.run(command)
        left = [item.name for item in (place / "out").rglob("*") if "partial" in item.name]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    row = {"kind": sample.kind, "way": name, "seed": seed, **answer, "left": left}
    is_same = changed == data
    row["fault"] = judge(row, str(folder), must_refuse=sample.strict and not is_same)
    return row


def _copy(sample: Sample, place: Path) -> tuple[Path, Path]:
    """Return what the command names, and the file in it that is damaged."""
    place.mkdir()
    if sample.folder is None:
        path = place / sample.path.name
        return path, path
    copy = place / sample.folder.name
    shutil.copytree(sample.folder, copy)
    return copy, copy / sample.path.relative_to(sample.folder)


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print a line of Markdown a kind."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row)
    print(f"| kind | inputs | refused | accepted | {' | '.join(FAULTS)} | most CPU s | most MB |")
    print("|" + " --- |" * (6 + len(FAULTS)))
    for kind, of_kind in [*sorted(kinds.items()), ("all", rows)]:
        faults = Counter(row["fault"] for row in of_kind)
        cells = [
            kind,
            len(of_kind),
            sum(row["code"] in (2, 3) for row in of_kind),
            sum(row["code"] == 0 for row in of_kind),
            *(faults[name] for name in FAULTS),
            max(row["cpu_s"] for row in of_kind),
            max(row["megabytes"] for row in of_kind),
        ]
        print("| " + " | ".join(str(cell) for cell in cells) + " |")


def print_faults(rows: list[dict[str, Any]]) -> None:
    """Print each faulty input once a message, with the seed that makes it again."""
    seen = set()
    for row in rows:
        message = row["said"].strip().splitlines()[-1:] or [""]
        key = row["fault"], row["kind"], message[0][:60]
        if row["fault"] and key not in seen:
            seen.add(key)
            print(
                f"{row['fault']}: {row['kind']} {row['way']} {row['seed']}: {row['said'][:300]!r}"
            )


if __name__ == "__main__":
    raise SystemExit(main())
