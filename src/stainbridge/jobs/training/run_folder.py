"""The folder of a training run: whether a run may begin or resume there, and its settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.partial import holds_files
from stainbridge.progress import Progress

if TYPE_CHECKING:
    from stainbridge.learn.checkpoint import Checkpoint
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task

T = TypeVar("T")

#: Names data that need no files.
GENERATED = "generated"
CONFIG = "config.yaml"
LAST = "last.safetensors"
#: Options that a resumed run may change; everything else belongs to the run.
RESUMABLE = ("steps", "device", "devices", "workers")


def do_nothing() -> None:
    """Prepare or finish a run that has nothing beside its weights."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training run."""

    path: Path
    """Where it is."""
    command: str
    """What trains there, "train affine" for example; it is recorded."""
    resume: bool
    """Whether the run in the folder is resumed; otherwise a new one begins."""
    earlier_phase: str = ""
    """Sub-folder of what is trained first, which may be all that an interrupted run has."""

    @property
    def is_first_process(self) -> bool:
        """Whether this is the process that writes, of several that train together."""
        return os.environ.get("LOCAL_RANK", "0") == "0"

    def check(self, inputs: Inputs, options: Mapping[str, Any]) -> None:
        """Raise `InputError` when a run cannot begin or resume here.

        `options` are all options by name, None where not given: most cannot change a resumed run.
        """
        if self.resume:
            self._check_resumable(options)
            return
        check_output_folder(self.path, inputs)
        if self.is_first_process and holds_files(self.path):
            raise InputError(
                "the folder is not empty", where=self.path, remedy="name another or add --resume"
            )

    def plan(
        self,
        kind: type[T],
        make_preset: Callable[[], T],
        data: str | None,
        config: Path | None,
        train_fields: Mapping[str, Any],
    ) -> tuple[T, str]:
        """Return the settings and the data of the run.

        A new run has the preset's settings, replaced by those of the `config` file, replaced by
        `train_fields`, fields of `train` that are None where not given. A resumed run has its own,
        replaced by `train_fields`. Raises `InputError` for unknown keys and a run of another
        command.
        """
        from stainbridge.settings import build, merge, read_yaml, to_dict

        given = {name: value for name, value in train_fields.items() if value is not None}
        if self.resume:
            source = self.path / CONFIG
            values = read_yaml(source)
            recorded = self._read_data(values.pop("run", {}))
            return build(kind, merge(values, {"train": given}), source), recorded
        source = config or Path("preset")
        replacing = {} if config is None else read_yaml(config)
        replacing.pop("run", None)
        values = merge(to_dict(make_preset()), replacing)
        return build(kind, merge(values, {"train": given}), source), data or GENERATED

    def train(
        self,
        make_task: Callable[[], Task[Any]],
        data: TrainingData,
        settings: Any,
        source: str,
        progress: Progress,
        prepare: Callable[[], None] = do_nothing,
        finish: Callable[[], None] = do_nothing,
    ) -> Checkpoint:
        """Train as `settings.train` says, after `prepare`, and `finish` whatever happens."""
        from stainbridge.learn.loop import train

        with self._open(settings, source) as path:
            try:
                prepare()
                resume = self.resume and (path / LAST).exists()
                return train(
                    make_task, data, settings.train, path, resume=resume, progress=progress
                )
            finally:
                if self.is_first_process:
                    finish()

    @contextmanager
    def _open(self, settings: Any, source: str) -> Iterator[Path]:
        """Make the folder with its config.yaml.

        A new folder is removed when bad input ends the run before anything is saved.
        """
        import yaml

        from stainbridge.settings import to_dict
        from stainbridge.whole import whole_file

        if not self.is_first_process:
            yield self.path
            return
        is_new = not holds_files(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.path) from error
        run = {"command": self.command, "data": source, "version": version("stainbridge")}
        with whole_file(self.path / CONFIG) as temporary:
            temporary.write_text(
                yaml.safe_dump({"run": run, **to_dict(settings)}, sort_keys=False), encoding="utf-8"
            )
        try:
            yield self.path
        except InputError:
            if is_new and not self._holds_run():
                self._remove_files()
            raise

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Keep other runs out of the folder; of several processes, the first does."""
        with claim_folder(self.path) if self.is_first_process else nullcontext():
            yield

    def _remove_files(self) -> None:
        """Remove everything but the hidden lock of this run."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif not path.name.startswith("."):
                path.unlink()

    def _check_resumable(self, options: Mapping[str, Any]) -> None:
        if not self._holds_run():
            raise InputError("no run to resume", where=self.path, expected=f"{CONFIG} and {LAST}")
        for name, value in options.items():
            if value is not None and name not in RESUMABLE:
                raise InputError(
                    f"--{name} cannot change a resumed run",
                    where=self.path,
                    remedy="leave it out",
                )

    def _holds_run(self) -> bool:
        """Return whether anything was trained here."""
        phases = [self.path]
        if self.earlier_phase:
            phases.append(self.path / self.earlier_phase)
        return any((phase / LAST).exists() for phase in phases)

    def _read_data(self, run: Mapping[str, Any]) -> str:
        if run.get("command") != self.command:
            raise InputError(
                "a run of another command",
                where=self.path,
                expected=self.command,
                got=run.get("command"),
            )
        return str(run["data"])
