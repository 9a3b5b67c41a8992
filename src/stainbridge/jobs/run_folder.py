"""The folder of a training run: its settings, whether it may be begun or gone on with, and the run
itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stainbridge.cli.output import progress_bar
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task

T = TypeVar("T")

GENERATED = "generated"  # data that needs no files
CONFIG = "config.yaml"
LAST = "last.safetensors"
#: What --resume may change; everything else is the run's own.
RESUMABLE = ("steps", "device", "devices", "workers")


@dataclass(frozen=True)
class RunFolder:
    """`path` of a run of `command`, begun or, with `resume`, gone on with."""

    path: Path
    command: str
    resume: bool

    @property
    def first_process(self) -> bool:
        """Of several processes that train together, the one that writes."""
        return os.environ.get("LOCAL_RANK", "0") == "0"

    def plan(
        self,
        kind: type[T],
        preset: Callable[[], T],
        chosen: Mapping[str, Any],
        given: Mapping[str, Any],
    ) -> tuple[T, str]:
        """The run's settings and data.

        `chosen` (`data`, `config`, ...) makes a run what it is; `given` are fields of `train`; None
        is left out. A new run has the preset's settings, under those of the `config` file, under
        the given ones; a resumed one has its own, under the given ones. Raises `InputError` for a
        folder that does not fit, unknown keys, and options that would change a run on the way.
        """
        from stainbridge.settings import build, merge, to_dict, read_yaml

        given = {name: value for name, value in given.items() if value is not None}
        if self.resume:
            self._check_resumable({**chosen, **given})
            source = self.path / CONFIG
            values = read_yaml(source)
            data = self._data(values.pop("run", {}))
        else:
            self._check_empty()
            source, data = chosen["config"] or Path("preset"), chosen["data"] or GENERATED
            over = read_yaml(source) if chosen["config"] else {}
            values = merge(
                to_dict(preset()), {key: value for key, value in over.items() if key != "run"}
            )
        return build(kind, merge(values, {"train": given}), source), data

    @contextmanager
    def open(self, settings: Any, data: str) -> Iterator[Path]:
        """The folder, config.yaml in it; a new one goes again when bad input ends the run before
        anything is saved.
        """
        from stainbridge.settings import to_dict
        from stainbridge.whole import whole_file

        if not self.first_process:
            yield self.path
            return
        import yaml

        made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.path) from error
        run = {"command": self.command, "data": data, "version": version("stainbridge")}
        with whole_file(self.path / CONFIG) as temporary:
            temporary.write_text(
                yaml.safe_dump({"run": run, **to_dict(settings)}, sort_keys=False), encoding="utf-8"
            )
        try:
            yield self.path
        except InputError:
            if made and not (self.path / LAST).exists():
                shutil.rmtree(self.path)
            raise

    def train(
        self,
        make_task: Callable[[], Task[Any]],
        data: TrainingData,
        settings: Any,
        source: str,
        finish: Callable[[Path], None] | None = None,
    ) -> None:
        """Train as `settings.train` says, `finish` whatever happens, and say what came of it."""
        from stainbridge.learn.loop import train

        with self.open(settings, source) as path, progress_bar() as progress:
            try:
                place = train(
                    make_task, data, settings.train, path, go_on=self.resume, progress=progress
                )
            finally:
                if finish is not None and self.first_process:
                    finish(path)
        if self.first_process:
            print(f"{place.step} steps, best measure {place.best:.5g}\nwritten: {self.path}")

    def _check_empty(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise InputError("the run is a file", where=self.path, expected="a folder")
        if self.first_process and self.path.is_dir() and any(self.path.iterdir()):
            raise InputError(
                "the folder is not empty", where=self.path, remedy="name another or add --resume"
            )

    def _check_resumable(self, options: Mapping[str, Any]) -> None:
        if not (self.path / LAST).exists():
            raise InputError("no run to resume", where=self.path, expected=f"{CONFIG} and {LAST}")
        for name, value in options.items():
            if value is not None and name not in RESUMABLE:
                raise InputError(
                    f"--{name} cannot change a run on the way",
                    where=self.path,
                    remedy="leave it out",
                )

    def _data(self, run: Mapping[str, Any]) -> str:
        if run.get("command") != self.command:
            raise InputError(
                "a run of another command",
                where=self.path,
                expected=self.command,
                got=run.get("command"),
            )
        return str(run["data"])
