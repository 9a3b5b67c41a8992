"""The table of methods: those that come with stainbridge, and a user's own as MODULE:FUNCTION.

A new method is one new file with `METHODS` and one line in the table.
"""

from __future__ import annotations

from stainbridge.errors import InputError
from stainbridge.evaluate.methods import (
    elastix,
    external,
    features,
    intensity,
    learned,
    presets,
    unregistered,
)
from stainbridge.evaluate.methods.alignment import Method
from stainbridge.evaluate.methods.custom import custom_method

#: The methods by name, in the order in which messages list them.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *unregistered.METHODS,
        *presets.METHODS,
        *learned.METHODS,
        *features.METHODS,
        *intensity.METHODS,
        *elastix.METHODS,
        *external.METHODS,
    )
}


def find_method(name: str) -> Method:
    """Return the method of that name; raise `InputError` where there is none."""
    if ":" in name:
        return custom_method(name)
    if name not in METHODS:
        expected = f"{', '.join(METHODS)}, or your own as MODULE:FUNCTION"
        raise InputError("no such method", where=name, expected=expected)
    return METHODS[name]
