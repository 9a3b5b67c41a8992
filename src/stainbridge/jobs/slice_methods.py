"""Methods for slices by name: those of the table, and runs of `train`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.evaluate.slices.field import LoadedField
    from stainbridge.evaluate.slices.method import SliceMethod


def find_slice_methods(names: Sequence[str], device: str) -> list[SliceMethod]:
    """Return methods by name; a name that is not in the table is a run or a file of weights.

    Raises `InputError` for names that are neither, and for two runs of one name.
    """
    from stainbridge.evaluate.slices.table import SLICE_METHODS

    methods = [
        SLICE_METHODS[name] if name in SLICE_METHODS else find_run(name, device) for name in names
    ]
    own_names = [method.name for method in methods]
    for number, name in enumerate(own_names):
        if name in own_names[:number]:
            raise InputError(
                "two methods have the same name",
                where=names[number],
                expected="run folders with names of their own",
                got=name,
            )
    return methods


def find_run(name: str, device: str) -> SliceMethod:
    """Return a run as a method; raise `InputError` for one that does not register slides."""
    from stainbridge.evaluate.slices.field import field_method
    from stainbridge.evaluate.slices.table import SLICE_METHODS
    from stainbridge.joint.models import LOADERS
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.learn.weights import choose_weights_file, read_weights

    try:
        path = find_weights(name)
    except InputError:
        expected = f"{', '.join(SLICE_METHODS)}, or a RUN folder"
        raise InputError("no such method", where=name, expected=expected) from None
    stored = read_weights(path)
    if stored.task not in LOADERS:
        raise InputError(
            "this run does not register slides",
            where=path,
            expected=", ".join(LOADERS),
            got=stored.task,
        )
    own_name = path.stem if path.is_file() else path.resolve().name
    weights = choose_weights_file(path)
    return field_method(own_name, partial(load_run, path, device), partial(_digest, weights))


def _digest(weights: Path) -> dict[str, Any]:
    from stainbridge.learn.digest import digest_weights

    return {"weights": digest_weights(weights)}


def load_run(path: Path, device: str) -> LoadedField:
    """Load the networks of a run to register slides with."""
    from stainbridge.evaluate.slices.field import LoadedField
    from stainbridge.joint.field import GreyField
    from stainbridge.joint.models import load_field
    from stainbridge.joint.sbr.slide_translation import make_slide_translation

    field = load_field(path, device)
    return LoadedField(
        field, make_slide_translation(field) if isinstance(field, GreyField) else None
    )
