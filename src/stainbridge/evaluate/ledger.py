"""What has been run: one row a line in `runs.jsonl`, and the setup they share in `setup.json`."""

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
from stainbridge.evaluate.job import Row
from stainbridge.evaluate.methods.alignment import Method
from stainbridge.slides.case import Case
from stainbridge.whole import whole_file

RUNS, SETUP = "runs.jsonl", "setup.json"


@dataclass(frozen=True)
class Setup:
    """What rows must have in common to stand in one table; methods and data sets may be added
    later.

    `methods`: settings by name; `data_sets`: for each set, by the name of a case, a digest of its
    landmarks.
    """

    version: str
    seed: int
    hard_starts: int
    timeout_s: float
    methods: dict[str, dict[str, Any]]
    data_sets: dict[str, dict[str, str]]


def setup_of(
    methods: Sequence[Method],
    data_sets: Mapping[str, Sequence[Case]],
    *,
    seed: int,
    hard_starts: int,
    timeout_s: float,
) -> Setup:
    """The setup of a benchmark that is about to run."""
    settings: dict[str, dict[str, Any]] = json.loads(
        json.dumps({item.name: item.settings for item in methods})
    )
    digests = {name: {case.id: digest(case) for case in cases} for name, cases in data_sets.items()}
    return Setup(version("stainbridge"), seed, hard_starts, timeout_s, settings, digests)


def digest(case: Case) -> str:
    """A short name for the landmarks of a case, in order."""
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
        """Append a row and see to it that it is on the disk."""
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
        if not path.is_file() and self._folder.is_dir() and any(self._folder.iterdir()):
            raise InputError(
                "the folder has other things in it", where=self._folder, remedy="name another"
            )
        joined = merged(read_setup(path), setup, self._folder) if path.is_file() else setup
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self._folder) from error
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(asdict(joined), indent=2), encoding="utf-8")
        _drop_half_line(self._folder / RUNS)


def merged(before: Setup, now: Setup, where: Path) -> Setup:
    """The setup with methods, data sets and cases that are new; raises `InputError` for what has
    changed.
    """
    for name in ("version", "seed", "hard_starts", "timeout_s"):
        _same(name, getattr(before, name), getattr(now, name), where)
    for name in before.methods.keys() & now.methods.keys():
        _same(f"method '{name}'", before.methods[name], now.methods[name], where)
    data_sets = dict(before.data_sets)
    for name, cases in now.data_sets.items():
        old = data_sets.get(name, {})
        for case in old.keys() & cases.keys():
            _same(f"landmarks of '{name}/{case}'", old[case], cases[case], where)
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
    """The rows of a benchmark folder, the last one of each run; raises `InputError` for a damaged
    line.
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
    """The setup of a benchmark folder; raises `InputError` where there is none, or it is damaged."""
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


def _same(name: str, before: Any, now: Any, where: Path) -> None:
    if before != now:
        old, new = _differing(before, now)
        raise InputError(
            f"{name} has changed since these runs were made", where=where, expected=old, got=new,
            remedy="name another folder",
        )  # fmt: skip


def _differing(before: Any, now: Any) -> tuple[Any, Any]:
    """Two values, or what differs between them where both are settings by name."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return before, now
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    parts = {name: _differing(before.get(name), now.get(name)) for name in names}
    return {name: old for name, (old, _) in parts.items()}, {
        name: new for name, (_, new) in parts.items()
    }


def _drop_half_line(path: Path) -> None:
    """Cut off a last line that was being written when the machine stopped."""
    if path.is_file():
        whole = path.read_bytes()
        if whole and not whole.endswith(b"\n"):
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
