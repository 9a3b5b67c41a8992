"""The reference of the command line, written from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from stainbridge.cli.app import make_app

HEAD = """# Command line reference

Every command and option, generated from the program.
[Command line](../cli.md) explains outputs, exit codes and files.

"""


def write_cli_reference() -> str:
    """Return the page as Markdown: one section a command, one table of options each."""
    return HEAD + "\n".join(
        _describe(name, command) for name, command in _walk(get_command(make_app()))
    )


def _walk(command: Any, name: str = "stainbridge") -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child_name, child in children.items():
        yield from _walk(child, f"{name} {child_name}")


def _describe(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context))
    ]
    rows = "\n".join(f"| {_code(option)} | {_cell(text)} |" for option, text in records)
    text, example = _split_example(command.help or "")
    parts = [f"## {name.removeprefix('stainbridge ')}", text, f"```text\n{name} {usage}\n```"]
    if example:
        parts.append(f"```sh\n{example}\n```")
    return "\n\n".join([*parts, f"| option | |\n| --- | --- |\n{rows}"]) + "\n"


def _split_example(help_text: str) -> tuple[str, str]:
    """Return what a command's help says, and the commands that it shows."""
    text, _, example = inspect.cleandoc(help_text).partition("\b\n")
    return _escape(text.strip()), inspect.cleandoc(example.partition("\n")[2]).strip()


def _code(option: str) -> str:
    return "`" + option.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    return _escape(" ".join(text.split())).replace("|", "\\|")


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")
