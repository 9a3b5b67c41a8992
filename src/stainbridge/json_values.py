"""Values as JSON can hold them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np


def to_json_values(value: Any) -> Any:
    """Return `value` as dicts, lists, numbers, strings and null.

    Dataclasses become objects, and tuples, sets and arrays become lists. A number that is not
    finite becomes null. Whatever JSON has no type for, a path for example, becomes its text.
    """
    if isinstance(value, dict):
        return {str(key): to_json_values(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return to_json_values(asdict(value))
    if isinstance(value, list | tuple | set | np.ndarray):
        return [to_json_values(item) for item in value]
    if isinstance(value, np.generic):
        return to_json_values(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def format_json(value: Any) -> str:
    """Return `value` as indented JSON text that every JSON parser reads."""
    return json.dumps(to_json_values(value), indent=2, allow_nan=False)
