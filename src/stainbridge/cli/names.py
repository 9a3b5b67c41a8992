"""Lists of names on the command line."""

from __future__ import annotations

from stainbridge.errors import InputError


def split_names(text: str) -> tuple[str, ...]:
    """Return the names between commas, each once; raise `InputError` when there are none."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("no names", expected="names separated by commas", got=repr(text))
    return names
