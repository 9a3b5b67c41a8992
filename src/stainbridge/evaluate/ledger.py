"""Keep what a benchmark has run: one row a line in `runs.jsonl`, their setup in `setup.json`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError, MissingFileError
from stainbridge.evaluate.methods.alignment import Method
from stainbridge.evaluate.row import Row
from stainbridge.partial import holds_files
from stainbridge.slides.case import Case
from stainbridge.whole import whole_file

#: The file of rows in a benchmark folder.
RUNS = "runs.jsonl"
#: The file of their setup.
SETUP = "setup.json"


@dataclass(frozen=True)
class Setup:
    """What rows must share to stand in one table; methods and data sets may be added later."""

    version: str
    """The version of stainbridge."""
    seed: int
    """The seed of hard starts."""
    hard_starts: int
    """How many hard starts of a case spread over 360°."""
    timeout_s: float
    """The time limit of a registration in seconds."""
    methods: dict[str, dict[str, Any]]
    """The settings of methods, by name."""
    data_sets: dict[str, dict[str, str]]
    """For each data set, by the id of a case, a digest of its landmarks."""


def make_setup(
    methods: Sequence[Method],
    data_sets: Mapping[str, Sequence[Case]],
    *,
    seed: int,
    hard_starts: int,
    timeout_s: float,
) -> Setup:
    """Return the setup of a benchmark that is about to run."""
    settings: dict[str, dict[str, Any]] = json.loads(
        json.dumps({method.name: method.settings for method in methods})
    )
    digests = {
        name: {case.id: landmark_digest(case) for case in cases}
        for name, cases in data_sets.items()
    }
    return Setup(version("stainbridge"), seed, hard_starts, timeout_s, settings, digests)


def landmark_digest(case: Case) -> str:
    """Return a short digest of the landmarks of a case, in their order."""
    sha = hashlib.sha256()
    for points in case.landmarks or (case.moving_only,):
        if points is not None:
            sha.update(points.round(3).tobytes())
    return sha.hexdigest()[:16]


class Ledger:
    """The rows in a folder, read when it is opened and added to as runs end.

    Raises `InputError` when the folder holds rows of another setup, or something that is no
    benchmark.
    """

    def __init__(self, folder: Path, setup: Setup) -> None:
        self._folder = folder
        self._claim(setup)
        self.rows: dict[tuple[str, str, str, str], Row] = {
            row.key: row for row in read_rows(folder)
        }

    def add(self, row: Row) -> None:
        """Append a row and wait until it is on the disk."""
        path = self._folder / RUNS
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row.to_dict()) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"could not write: {error.strerror}", where=path) from error
        self.rows[row.key] = row

    def _claim(self, setup: Setup) -> None:
        path = self._folder / SETUP
        if self._folder.exists() and not self._folder.is_dir():
            raise InputError("the output is a file", where=self._folder, expected="a folder")
        if not path.is_file() and holds_files(self._folder):
            raise InputError(
                "the folder has other things in it", where=self._folder, remedy="name another"
            )
        merged = merge_setups(read_setup(path), setup, self._folder) if path.is_file() else setup
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self._folder) from error
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(asdict(merged), indent=2), encoding="utf-8")
        drop_partial_line(self._folder / RUNS)


def merge_setups(before: Setup, now: Setup, where: Path) -> Setup:
    """Return a setup with the methods, data sets and cases of both.

    Raises `InputError` for what has changed between them.
    """
    for name in ("version", "seed", "hard_starts", "timeout_s"):
        check_unchanged(name, getattr(before, name), getattr(now, name), where)
    for name in before.methods.keys() & now.methods.keys():
        check_unchanged(f"method '{name}'", before.methods[name], now.methods[name], where)
    data_sets = dict(before.data_sets)
    for name, cases in now.data_sets.items():
        old = data_sets.get(name, {})
        for case in old.keys() & cases.keys():
            check_unchanged(f"landmarks of '{name}/{case}'", old[case], cases[case], where)
        data_sets[name] = {**old, **cases}
    return Setup(
        now.version,
        now.seed,
        now.hard_starts,
        now.timeout_s,
        {**before.methods, **now.methods},
        data_sets,
    )


def read_rows(folder: Path) -> list[Row]:
    """Read the rows of a benchmark folder, the last one of each run.

    Raises `InputError` for a damaged line.
    """
    path = folder / RUNS
    if not path.is_file():
        return []
    rows: dict[tuple[str, str, str, str], Row] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        try:
            row = Row.from_dict(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                "not a row of a benchmark", where=f"{path} line {number + 1}", got=error
            ) from error
        rows[row.key] = row
    return list(rows.values())


def read_setup(path: Path) -> Setup:
    """Read the setup of a benchmark folder.

    Raises `InputError` where there is none, or it is damaged.
    """
    if not path.is_file():
        raise MissingFileError(
            "no benchmark folder",
            where=path.parent,
            expected=f"{SETUP} in it, of benchmark landmarks",
        )
    try:
        return Setup(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError("not the setup of a benchmark", where=path, got=error) from error


def check_unchanged(name: str, before: Any, now: Any, where: Path) -> None:
    """Raise `InputError` where a setting differs from the one that rows were made with."""
    if before == now:
        return
    old, new = _differences(before, now)
    raise InputError(
        f"{name} has changed since these runs were made",
        where=where,
        expected=old,
        got=new,
        remedy="name another folder",
    )


def _differences(before: Any, now: Any) -> tuple[Any, Any]:
    """Return two values; of two dicts of settings only what differs between them."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return before, now
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    pairs = {name: _differences(before.get(name), now.get(name)) for name in names}
    return {name: old for name, (old, _) in pairs.items()}, {
        name: new for name, (_, new) in pairs.items()
    }


def drop_partial_line(path: Path) -> None:
    """Cut off a last line that was being written when the machine stopped."""
    if path.is_file():
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            path.write_bytes(content[: content.rfind(b"\n") + 1])
