"""The command `stainbridge`: its verbs, and how errors become exit codes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from typing import Annotated, NoReturn

import typer

from stainbridge.cli import (
    benchmark,
    demo,
    evaluate,
    export,
    info,
    pairs,
    phantom,
    register,
    train,
    translate,
    warp,
)
from stainbridge.cli.output import say
from stainbridge.errors import StainbridgeError

OK = 0
OUR_BUG = 1
INTERRUPTED = 130

app = typer.Typer(
    name="stainbridge",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("info")(info.info)
app.command("register")(register.register)
app.add_typer(warp.app, name="warp")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(benchmark.app, name="benchmark")
app.command("pairs")(pairs.pairs)
app.add_typer(train.app, name="train")
app.command("translate")(translate.translate)
app.add_typer(export.app, name="export")
app.command("phantom")(phantom.phantom)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        import stainbridge

        typer.echo(f"stainbridge {stainbridge.__version__}")
        raise typer.Exit


@app.callback()
def stainbridge(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Align differently stained whole-slide images and use the result.

    Exit codes: 0 done; 1 a bug of ours; 2 your input; 3 the registration failed; 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    # Threads that spin while they wait make a busy machine ten times slower. OpenMP reads this when
    # torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # A cluster's scheduler sends SIGTERM before it kills: it ends a command as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; errors are one line on standard error."""
    try:
        # A command returns its exit code or nothing; an interruption returns 130.
        code = app(arguments, prog_name="stainbridge", standalone_mode=False) or OK
    except StainbridgeError as error:
        say(f"error: {error}")
        return error.exit_code
    except typer.TyperException as error:
        return _usage_error(error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        say(
            f"error: unexpected {type(error).__name__};"
            f" please report it with the traceback in {_save_traceback()}"
        )
        return OUR_BUG
    if code == INTERRUPTED:
        say("interrupted; nothing half-written was left")
    return int(code)


def _usage_error(error: typer.TyperException) -> int:
    """Report a wrong command line in one line; without a verb, print the help.

    The help is the message of the error then.
    """
    message = error.format_message()
    if message.startswith("Usage:"):
        say(message)
    else:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "stainbridge"
        say(f"error: {' '.join(message.split()).rstrip('.')}; see: {command} --help")
    return error.exit_code


def _save_traceback() -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="stainbridge-", suffix=".traceback.txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"{' '.join(sys.argv)}\n{traceback.format_exc()}")
    return file.name
