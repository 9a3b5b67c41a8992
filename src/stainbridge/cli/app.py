"""The command `stainbridge` and its verbs."""

from __future__ import annotations

from typing import Annotated

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
    view,
    warp,
)

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
app.command("view")(view.view)
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
