"""The command `stainbridge` and its verbs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from stainbridge.cli.option_names import Verb

#: Where each verb is: its module in `stainbridge.cli` and what it has of it. `app` is a group of
#: verbs.
VERBS = {
    "info": ("info", "info"),
    "register": ("register", "register"),
    "warp": ("warp", "app"),
    "evaluate": ("evaluate", "app"),
    "benchmark": ("benchmark", "app"),
    "pairs": ("pairs", "pairs"),
    "cohort": ("cohort", "app"),
    "train": ("train", "app"),
    "translate": ("translate", "translate"),
    "export": ("export", "app"),
    "view": ("view", "view"),
    "phantom": ("phantom", "phantom"),
    "demo": ("demo", "demo"),
}


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command with the verb that `arguments` begin with, else with all verbs.

    The others would take a moment to import.
    """
    app = typer.Typer(
        name="stainbridge",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(stainbridge)
    verb = arguments[0] if arguments else ""
    for name in [verb] if verb in VERBS else VERBS:
        module, attribute = VERBS[name]
        loaded: Any = getattr(import_module(f"stainbridge.cli.{module}"), attribute)
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name)
        else:
            app.command(name)(loaded)
    _name_options(app)
    return app


def _name_options(app: typer.Typer) -> None:
    """Have every command, in groups too, name options in errors about settings."""
    for command in app.registered_commands:
        command.cls = Verb
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _name_options(group.typer_instance)


def _print_version(wanted: bool) -> None:
    if wanted:
        import stainbridge

        typer.echo(f"stainbridge {stainbridge.__version__}")
        raise typer.Exit


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
