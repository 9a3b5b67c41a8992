"""Pickle a dataclass by its fields, without what it has cached."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class PickledByFields:
    """A dataclass whose cached properties stay behind when it is pickled.

    A copy in another process computes them again, from the same fields.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return the values of the fields by name."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}
