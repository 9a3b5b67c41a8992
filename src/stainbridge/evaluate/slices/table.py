"""The table of methods for slices.

A new method is one new file with `METHODS` and one line in the table. Trained runs are methods,
too: `field.field_method` makes one of a run.
"""

from __future__ import annotations

from stainbridge.evaluate.slices import elastix, intensity, presets, unregistered
from stainbridge.evaluate.slices.method import SliceMethod

#: The methods by name, in the order in which messages list them.
SLICE_METHODS: dict[str, SliceMethod] = {
    method.name: method
    for method in (
        *unregistered.METHODS,
        *intensity.METHODS,
        *elastix.METHODS,
        *presets.METHODS,
    )
}
