"""Anything as JSON can hold it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainbridge.json_values import format_json, to_json_values


@dataclass(frozen=True)
class Size:
    width: int
    height: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("text", "text"),
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), [[1.0, None], [2.0, 3.0]]),
        ((1, (2, 3)), [1, [2, 3]]),
        ({5}, [5]),
        ({1: (2,)}, {"1": [2]}),
        (Size(3, float("nan")), {"width": 3, "height": None}),
        (Path("folder") / "file.svs", str(Path("folder") / "file.svs")),
        (Size, str(Size)),
    ],
)
def test_values_of_every_kind(value: Any, expected: Any) -> None:
    result = to_json_values(value)
    assert result == expected
    assert type(result) is type(expected)


def test_text_is_indented_and_strict_json() -> None:
    text = format_json({"size": Size(3, float("inf"))})
    assert text == '{\n  "size": {\n    "width": 3,\n    "height": null\n  }\n}'
    assert json.loads(text) == {"size": {"width": 3, "height": None}}
