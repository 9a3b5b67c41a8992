"""Ranges of the numbers in settings: a field's type says its range, and one check holds it.

steps: Annotated[int, Within(0, 10**9)] = 1000
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from numbers import Integral, Real
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from stainbridge.errors import InputError

#: Largest seed: generators of random numbers take 32 bits.
MAX_SEED = 2**32 - 1
#: Most steps of a training.
MAX_STEPS = 10**9


@dataclass(frozen=True)
class Within:
    """The range of a number, or of each number of a tuple; nan and infinities lie outside."""

    least: float
    """Smallest number."""
    most: float
    """Largest number."""
    above: bool = False
    """Whether `least` itself lies outside."""
    below: bool = False
    """Whether `most` itself lies outside."""
    rising: bool = False
    """Whether the numbers of a tuple must not fall."""

    def __str__(self) -> str:
        """Return the range in words."""
        least = ("above " if self.above else "") + _format_bound(self.least)
        most = ("below " if self.below else "") + _format_bound(self.most)
        return f"{least} to {most}"

    def holds(self, number: float) -> bool:
        """Return whether a number lies inside."""
        is_above = number > self.least if self.above else number >= self.least
        is_below = number < self.most if self.below else number <= self.most
        return is_above and is_below


Seed: TypeAlias = Annotated[int, Within(0, MAX_SEED)]
Share: TypeAlias = Annotated[float, Within(0, 1)]
#: Decay of a running mean, a probability of dropout: a share that is never all.
PartialShare: TypeAlias = Annotated[float, Within(0, 1, below=True)]
#: Weight of a term of a loss.
Weight: TypeAlias = Annotated[float, Within(0, 1e6)]
#: Learning rate of an optimiser.
Rate: TypeAlias = Annotated[float, Within(0, 100, above=True)]
#: Pixel size in µm.
MPP_RANGE = Within(0.001, 1000)
PixelSize: TypeAlias = Annotated[float, MPP_RANGE]


def check_ranges(settings: Any) -> None:
    """Check the numbers of a dataclass against their ranges; call it in `__post_init__`.

    Raises `InputError` for a number out of range and for what is no number, naming the field.
    """
    for name, (hint, range_) in find_ranges(settings.__class__).items():
        value = getattr(settings, name)
        if value is None and type(None) in get_args(hint):
            continue
        numbers = value if isinstance(value, tuple | list) and _is_tuple(hint) else (value,)
        for number in numbers:
            _check_number(name, number, _find_number_type(hint), range_)
        if range_.rising and any(a > b for a, b in pairwise(numbers)):
            raise InputError(f"{name} must not fall", expected="the smaller first", got=value)


@cache
def find_ranges(kind: Hashable) -> Mapping[str, tuple[Any, Within]]:
    """Return the type and the range of each field of a dataclass that has one."""
    hints = _evaluate_types(kind)
    found = {name: _find_range(hint) for name, hint in hints.items()}
    return MappingProxyType({name: entry for name, entry in found.items() if entry is not None})


def _evaluate_types(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields."""
    names = [item.name for item in fields(kind)]
    types: dict[str, Any] = {}
    for parent in reversed(kind.__mro__):
        own = vars(parent).get("__annotations__", {})
        own_fields = SimpleNamespace(
            __annotations__={name: own[name] for name in names if name in own}
        )
        known = _Names(vars(sys.modules[parent.__module__]))
        types |= get_type_hints(own_fields, localns=known, include_extras=True)
    return types


class _Names(dict[str, Any]):
    """Names of a module; one that only type checkers import stands for any type."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Any)


def _find_range(hint: Any) -> tuple[Any, Within] | None:
    """Return a field's bare type and range; an optional number has its range inside."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Annotated:
            for extra in get_args(part)[1:]:
                if isinstance(extra, Within):
                    return (get_args(part)[0] if part is hint else hint), extra
    return None


def _list_types(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _list_types(part)


def _is_tuple(hint: Any) -> bool:
    return any(get_origin(part) is tuple for part in _list_types(hint))


def _find_number_type(hint: Any) -> type[int] | type[float]:
    return float if float in _list_types(hint) else int


def _check_number(name: str, number: Any, kind: type[Any], range_: Within) -> None:
    is_number = isinstance(number, Real if kind is float else Integral)
    if isinstance(number, bool) or not is_number:
        noun = "a number" if kind is float else "a whole number"
        raise InputError(
            f"{name} has the wrong type", expected=f"{noun}, {range_}", got=repr(number)
        )
    if not range_.holds(number):
        raise InputError(f"{name} out of range", expected=str(range_), got=number)


def _format_bound(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
