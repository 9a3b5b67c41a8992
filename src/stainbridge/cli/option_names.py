"""Errors about settings that name the option which the user typed."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from stainbridge.errors import InputError


class Verb(TyperCommand):
    """A command whose errors about a setting name its option.

    The parameters of its function are named after the settings that they stand for.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raise its `InputError` under the option's name."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            named = name_option(error, ctx)
            if named is error:
                raise
            raise named from error


def name_option(error: InputError, ctx: Any) -> InputError:
    """Return the error with an option's name in place of that of the setting that it is about.

    The setting is the first word of an error without a place, or its place. An error that is about
    no setting but was got from one option's text alone is placed there. An option that was not
    typed is not named.
    """
    what, where = error.what, error.where
    if where is None:
        setting, _, rest = what.partition(" ")
        if option := _find_typed(ctx, setting):
            what = f"{option} {rest}"
        else:
            where = option = _find_source(ctx, error.got)
    else:
        where = option = _find_typed(ctx, str(where))
    if option is None:
        return error
    return InputError(
        what, where=where, expected=error.expected, got=error.got, remedy=error.remedy
    )


def _find_source(ctx: Any, got: object) -> str | None:
    """Return the only typed option whose text is, or lists, what was got."""
    texts = {name: text for name, text in ctx.params.items() if isinstance(text, str)}
    names = [name for name, text in texts.items() if got in (text, *text.split(","))]
    return _find_typed(ctx, names[0]) if len(names) == 1 else None


def _find_typed(ctx: Any, setting: str) -> str | None:
    """Return the option of a setting as it was typed; None where it was not."""
    source = ctx.get_parameter_source(setting)
    if source is None or source.name != "COMMANDLINE":
        return None
    return next(str(item.opts[0]) for item in ctx.command.params if item.name == setting)
