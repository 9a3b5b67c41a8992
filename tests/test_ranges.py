"""Every number in every settings class has a documented range, which is held."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest

import stainbridge
from stainbridge.errors import InputError
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.manifest import SlidePair
from stainbridge.ranges import Within, check_ranges, find_ranges
from stainbridge.settings import build
from stainbridge.translation.objectives.config import TranslationConfig

#: What classes of settings are called.
ENDINGS = ("Config", "Training", "Thresholds", "Job", "Objective")
#: Values that no field may take further than its own check.
HOSTILE = (math.nan, math.inf, -math.inf, -1, 0, 10**9, 1e9, 1e300, 10**400, "7", True, 1.5, b"1")
#: Packages of peers, whose own libraries are not installed.
PEERS = "stainbridge.evaluate.peers"


def list_settings() -> Iterator[type[Any]]:
    for module in pkgutil.walk_packages(stainbridge.__path__, "stainbridge."):
        if module.name.startswith(PEERS) or module.name.endswith("__main__"):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            own = inspect.isclass(kind) and kind.__module__ == module.name
            if own and is_dataclass(kind) and kind.__name__.endswith(ENDINGS):
                yield kind


def number_fields(kind: type[Any]) -> list[str]:
    """Return the fields whose annotations speak of numbers, however they are spelled."""
    words = r"\b(int|float|Within|Seed|Share|PartialShare|Weight|Rate|PixelSize|Range)\b"
    return [item.name for item in fields(kind) if re.search(words, str(item.type))]


SETTINGS = sorted(set(list_settings()), key=lambda kind: f"{kind.__module__}.{kind.__name__}")
#: Published numbers, which nobody sets.
CONSTANTS = ("PaperTraining",)
WITH_NUMBERS = [
    kind
    for kind in SETTINGS
    if number_fields(kind) and not inspect.isabstract(kind) and kind.__name__ not in CONSTANTS
]


def make(kind: type[Any]) -> Any:
    """Return valid settings of any class; paths need not exist."""
    path = Path("a.png")
    samples: dict[str, Any] = {
        "data": (path,),
        "methods": ("identity",),
        "models": (path,),
        "config": PairingConfig(),
        "pair": SlidePair(id="a", fixed=path, moving=path, patient="a", split="train"),
    }
    if kind.__name__ == "TranslationConfig":
        return TranslationConfig.preset("cyclegan", "small")
    names = inspect.signature(kind).parameters.values()
    needed = [item.name for item in names if item.default is inspect.Parameter.empty]
    return kind(**{name: samples.get(name, path) for name in needed})


def test_settings_are_found() -> None:
    assert len(WITH_NUMBERS) > 70


@pytest.mark.parametrize("kind", WITH_NUMBERS, ids=lambda kind: kind.__qualname__)
def test_every_number_has_a_range_that_is_held(kind: type[Any]) -> None:
    ranges = find_ranges(kind)
    assert set(number_fields(kind)) <= set(ranges)
    valid = make(kind)
    for name in number_fields(kind):
        hint, range_ = ranges[name]
        old = getattr(valid, name)
        for number in HOSTILE:
            value = (number, *old[1:]) if isinstance(old, tuple) and old else number
            if isinstance(old, tuple) and not old:
                value = (number,)
            try:
                replace(valid, **{name: value})
            except InputError as error:
                said = str(error)
                allowed = is_right_type(hint, number) and range_.holds(number)
                assert allowed or (name in said and str(range_) in said), said
                assert "\n" not in said
            else:
                assert is_right_type(hint, number)
                assert range_.holds(number)


def is_right_type(hint: Any, number: Any) -> bool:
    has_float = hint is float or "float" in str(hint)
    return isinstance(number, int | float if has_float else int) and not isinstance(number, bool)


@dataclass(frozen=True)
class Lens:
    zoom: Annotated[float, Within(0, 40, above=True)] = 20.0
    ring_px: Annotated[tuple[int, int], Within(1, 9, rising=True)] = (2, 3)
    shots: Annotated[int, Within(0, 2**32 - 1)] | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"zoom": math.nan}, "zoom out of range; expected above 0 to 40; got nan"),
        ({"zoom": 0}, "zoom out of range; expected above 0 to 40; got 0"),
        ({"zoom": "near"}, "zoom has the wrong type; expected a number, above 0 to 40; got 'near'"),
        ({"ring_px": (2, 10)}, "ring_px out of range; expected 1 to 9; got 10"),
        ({"ring_px": (5, 3)}, "ring_px must not fall; expected the smaller first; got (5, 3)"),
        ({"shots": 2**32}, "shots out of range; expected 0 to 4294967295; got 4294967296"),
        ({"shots": 1.0}, "shots has the wrong type; expected a whole number, 0 to 4294967295"),
        ({"zoom": None}, "zoom has the wrong type; expected a number, above 0 to 40; got None"),
    ],
)
def test_the_error_names_field_range_and_value(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Lens(**values)
    assert str(caught.value).startswith(said)


def test_a_file_of_settings_is_named_too() -> None:
    with pytest.raises(InputError, match=r"^lens\.yaml: zoom out of range; expected above 0 to 40"):
        build(Lens, {"zoom": 41}, "lens.yaml")
    assert build(Lens, {"zoom": "4e1", "ring_px": [1, 9], "shots": None}, "f").zoom == 40.0
