"""The corners that QuPath counts from, as a registration recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stainbridge.jobs.choices import SideChoice

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration


def qupath_offset_px(stored: StoredRegistration, side: SideChoice) -> tuple[float, float]:
    """Return the corner (x, y) that QuPath counts from on this slide, in full-resolution pixels."""
    x, y = stored.record[side].get("bounds_px", (0, 0))
    return float(x), float(y)
