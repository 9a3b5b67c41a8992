"""Every number on the command line that cannot be is one line that names it, whatever the verb."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from stainbridge.cli.app import make_app
from stainbridge.cli.main import run

#: Options that only mean something where the table is there.
LATER = ("--row",)
#: What commands have besides what they need.
MORE = {("pairs",): ("--fixed", "he.png", "--moving", "ki67.png")}
#: What no option takes, whatever it means.
NO_NUMBERS = ("nan", "inf", "-inf", "1e400", "-1e30", "many", "0,5", "1e300")
NO_WHOLE_NUMBERS = ("nan", "inf", "1.5", "many", "-9999999999", "99999999999999999999999")


@dataclass(frozen=True)
class Option:
    """A number that a command takes."""

    words: tuple[str, ...]
    """The command with all that it needs."""
    name: str
    is_whole: bool


def list_options(command: Any, path: tuple[str, ...]) -> Iterator[Option]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from list_options(inner, (*path, name))
    needed = [word for parameter in command.params for word in list_needed(parameter)]
    needed += MORE.get(path, ())
    for parameter in command.params:
        if is_number(parameter):
            yield Option((*path, *needed), parameter.opts[0], is_whole(parameter))


def is_number(parameter: Any) -> bool:
    return parameter.type_descriptor.annotation in (int, float)


def is_whole(parameter: Any) -> bool:
    return bool(parameter.type_descriptor.annotation is int)


def list_needed(parameter: Any) -> list[str]:
    """Return an option or argument that must be there; what it names is not."""
    if not parameter.required:
        return []
    value = "1" if is_number(parameter) else "nothing"
    choices = get_args(parameter.type_descriptor.annotation)
    if choices and isinstance(choices[0], str):
        value = choices[0]
    return [parameter.opts[0], value] if parameter.opts[0].startswith("-") else [value]


OPTIONS = sorted(
    set(list_options(typer.main.get_command(make_app()), ())),
    key=lambda option: (option.words, option.name),
)


def test_the_options_are_found() -> None:
    assert len(OPTIONS) > 60


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.words[:2]} {option.name}")
def test_what_is_no_such_number_is_refused_by_name(
    option: Option,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in NO_WHOLE_NUMBERS if option.is_whole else NO_NUMBERS:
        assert run([*option.words, f"{option.name}={number}"]) == 2, number
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        if option.name in LATER and "no such file" in said:
            continue
        assert "no such file" not in said, (number, said)
        assert option.name in said, (number, said)
        assert list(tmp_path.iterdir()) == []
