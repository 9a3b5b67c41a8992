"""elastix with B-splines by mutual information, from the slices as given.

Mahapatra & Ge 2021 compare with elastix so: normalised mutual information, B-splines of a spacing
of 80, 40, 20, 10 and 5 mm, coarse to fine, which are pixels on their brain slices. What they leave
open is elastix's default.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.methods.elastix import check, load_elastix
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide

#: As `evaluate.methods.elastix.SETTINGS`; a spacing of 5 pixels is reached in five resolutions.
SETTINGS: dict[str, Any] = {
    "working_px": 1024,
    "maps": ("bspline",),
    "changed": {
        "bspline": {
            "Metric": ["NormalizedMutualInformation", "TransformBendingEnergyPenalty"],
            "GridSpacingSchedule": ["16", "8", "4", "2", "1"],
            "RandomSeed": ["1"],
        }
    },
    "grid_spacing_px": 5.0,
    "resolutions": 5,
}


def load_bspline(settings: dict[str, Any]) -> LoadedMethod:
    """Return the method with ITK loaded."""
    align_slides = load_elastix(settings)

    def align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:  # noqa: ARG001
        return align_slides(fixed, moving)

    return LoadedMethod(align)


METHODS = (
    SliceMethod(
        "elastix",
        "elastix, normalised mutual information, B-splines, from as given",
        partial(load_bspline, SETTINGS),
        SETTINGS.copy,
        check,
    ),
)
