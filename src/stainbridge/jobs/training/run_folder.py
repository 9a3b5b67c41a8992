"""The folder of a training run: whether a run may begin or resume there, and its settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import RUN_FILES, Inputs, check_output_folder
from stainbridge.jobs.training.same_run import (
    CONFIG,
    RESUMABLE,
    check_same_run,
    read_options,
    read_run,
    take_run,
)
from stainbridge.partial import holds_files
from stainbridge.progress import Progress

if TYPE_CHECKING:
    from stainbridge.learn.checkpoint import Checkpoint
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task

T = TypeVar("T")

#: Names data that need no files.
GENERATED = "generated"
LAST = "last.safetensors"


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

    @property
    def is_resumed(self) -> bool:
        """Whether there is a run to resume, and it is to be resumed."""
        return self.resume and self._holds_run()

    def count_saved_steps(self) -> int | None:
        """Return how many steps of the run are saved; None where none of it is."""
        from stainbridge.learn.weights import count_steps

        phases = [self.path / self.earlier_phase, self.path]
        saved = [phase / LAST for phase in phases if (phase / LAST).exists()]
        return count_steps(saved[-1]) if saved else None

    def check(
        self, inputs: Inputs, options: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        """Raise `InputError` when a run cannot begin or resume here.

        `options` are all options by name, None where not given; `defaults` are what some of these
        stand for. A resumed run may be given the same options again; most others cannot change it.
        """
        check_output_folder(self.path, inputs)
        # a run may lie within its data
        check_output_folder(self.path, replace(inputs, data_folders=()), RUN_FILES)
        if self.is_resumed:
            check_same_run(self.path, self.command, options, defaults)
        elif self.is_first_process and holds_files(self.path) and not self._holds_beginning():
            remedy = "name another or add --resume" if self._holds_run() else "name another"
            raise InputError("the folder is not empty", where=self.path, remedy=remedy)

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
        if self.is_resumed:
            source = self.path / CONFIG
            values = read_yaml(source)
            recorded = str(take_run(values, self.path)["data"])
            changing = {name: value for name, value in given.items() if name in RESUMABLE}
            return build(kind, _with_train(values, changing, source), source), recorded
        source = config or Path("preset")
        replacing = {} if config is None else read_yaml(config)
        replacing.pop("run", None)
        values = merge(to_dict(make_preset()), replacing)
        return build(kind, _with_train(values, given, source), source), data or GENERATED

    def train(
        self,
        make_task: Callable[[], Task[Any]],
        data: TrainingData,
        settings: Any,
        source: str,
        options: Mapping[str, Any],
        progress: Progress,
        prepare: Callable[[], None] = do_nothing,
        finish: Callable[[], None] = do_nothing,
    ) -> Checkpoint:
        """Train as `settings.train` says, after `prepare`, and `finish` whatever happens.

        `source` and `options` are recorded: the data, and the options that were given.
        """
        from stainbridge.learn.loop import train

        with self._open(settings, source, options) as path:
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
    def _open(self, settings: Any, source: str, options: Mapping[str, Any]) -> Iterator[Path]:
        """Make the folder with its config.yaml.

        What a run left that was killed before it saved anything is removed, and so is a new run
        that bad input ends before then.
        """
        import yaml

        from stainbridge.settings import to_dict
        from stainbridge.whole import whole_file

        if not self.is_first_process:
            yield self.path
            return
        is_new = not self._holds_run()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.path) from error
        if is_new:
            self._remove_files()
        run = {
            "command": self.command,
            "data": source,
            "version": version("stainbridge"),
            "options": self._merge_options(options),
        }
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
        """Remove what a run leaves before it saves itself for the first time."""
        for name in (*RUN_FILES, self.earlier_phase):
            path = self.path / name
            if name and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif name:
                path.unlink(missing_ok=True)

    def _merge_options(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the options that the run was begun with, as they are recorded."""
        if self.is_resumed:
            return read_options(self.path) or {}
        return {
            name: str(value)
            for name, value in options.items()
            if value is not None and name not in RESUMABLE
        }

    def _holds_run(self) -> bool:
        """Return whether anything was trained here."""
        phases = [self.path]
        if self.earlier_phase:
            phases.append(self.path / self.earlier_phase)
        return any((phase / LAST).exists() for phase in phases)

    def _holds_beginning(self) -> bool:
        """Return whether a run was killed here before it saved anything, and nothing else is."""
        visible = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        is_ours = (self.path / CONFIG).is_file() and visible <= {*RUN_FILES, self.earlier_phase}
        return is_ours and not self._holds_run() and read_run(self.path) is not None


def _with_train(
    values: Mapping[str, Any], changes: Mapping[str, Any], where: object
) -> dict[str, Any]:
    """Return settings with other values of `train`; raise `InputError` where it holds no keys."""
    from stainbridge.settings import KEYS_AND_VALUES, merge

    own = values.get("train", {})
    if not isinstance(own, Mapping):
        raise InputError("wrong type", where=f"{where}: train", expected=KEYS_AND_VALUES, got=own)
    return merge(values, {"train": changes})
