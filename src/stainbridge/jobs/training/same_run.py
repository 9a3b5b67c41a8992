"""Whether options that are given to a resumed run are those that it was begun with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError

#: The file of a run's settings, which also says how the run was begun.
CONFIG = "config.yaml"
#: Options that a resumed run may change; everything else belongs to the run.
RESUMABLE = ("steps", "device", "devices", "workers")


def check_same_run(
    folder: Path, command: str, options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """Raise `InputError` for an option that would make another run of the one in `folder`.

    `options` are by name, None where not given; `defaults` are what an option stands for that was
    not given when the run was begun.
    """
    from stainbridge.settings import read_yaml

    settings = read_yaml(folder / CONFIG)
    run = take_run(settings, folder)
    if run["command"] != command:
        raise InputError(
            "a run of another command", where=folder, expected=command, got=run["command"]
        )
    for name, value in options.items():
        if value is None or name in RESUMABLE:
            continue
        if name == "config":
            _check_config(folder, settings, Path(value))
            continue
        recorded = _find_recorded(name, settings, run, defaults)
        if recorded is None or not _is_same(str(value), recorded):
            raise InputError(
                f"--{name} cannot change a resumed run",
                where=folder,
                expected="as it was begun" if recorded is None else recorded,
                got=value,
                remedy="leave it out, or begin another run",
            )


def take_run(settings: dict[str, Any], folder: Path) -> Mapping[str, Any]:
    """Take from the values of config.yaml what says how the run was begun.

    Raises `InputError` where they do not say it, as in a file that somebody else wrote.
    """
    run = settings.pop("run", None)
    if not isinstance(run, dict) or not {"command", "data"} <= run.keys():
        raise InputError(
            "no settings of a run",
            where=folder / CONFIG,
            expected="`run`, with `command` and `data`",
            got=run,
        )
    return run


def read_run(folder: Path) -> Mapping[str, Any] | None:
    """Return what config.yaml says of how the run was begun; None where it is no run's."""
    from stainbridge.settings import read_yaml

    try:
        run = read_yaml(folder / CONFIG).get("run")
    except InputError:
        return None
    return run if isinstance(run, dict) and "command" in run else None


def read_options(folder: Path) -> dict[str, str] | None:
    """Return the options that a run was begun with; None for runs that did not record them."""
    options = (read_run(folder) or {}).get("options")
    return dict(options) if isinstance(options, dict) else None


def _find_recorded(
    name: str, settings: Mapping[str, Any], run: Mapping[str, Any], defaults: Mapping[str, Any]
) -> str | None:
    """Return the value that an option has in the run; None where the run does not say it."""
    if name == "data":
        return str(run["data"])
    training = settings.get("train", {})
    if name in training:
        return str(training[name])
    options = run.get("options")
    if not isinstance(options, dict):
        return None  # a run of an earlier version
    if name in options:
        return str(options[name])
    return str(defaults[name]) if name in defaults else None


def _check_config(folder: Path, settings: Mapping[str, Any], config: Path) -> None:
    """Raise `InputError` when a file of settings differs from those of the run."""
    from stainbridge.settings import merge, read_yaml

    values = read_yaml(config)
    values.pop("run", None)
    training = values.get("train")
    if isinstance(training, dict):
        values["train"] = {key: item for key, item in training.items() if key not in RESUMABLE}
    different = _name_differences(settings, merge(settings, values))
    if different:
        raise InputError(
            "--config cannot change a resumed run",
            where=folder,
            expected="the settings of the run",
            got=f"other {', '.join(different)} in {config}",
            remedy="leave it out, or begin another run",
        )


def _name_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of values that differ."""
    names = []
    for key, value in now.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            names += [f"{key}.{name}" for name in _name_differences(old, value)]
        elif value != old:
            names.append(str(key))
    return names


def _is_same(given: str, recorded: str) -> bool:
    """Return whether two values are the same, or lead to the same files."""
    if given == recorded:
        return True
    places = [[Path(name).resolve() for name in value.split(",")] for value in (given, recorded)]
    return places[0] == places[1]
