"""SimpleITK by Mattes mutual information, from the slices as given: affine, or B-splines alone.

The settings are those of `evaluate.methods.intensity` but for the search over angles, which slices
that lie about on each other do not need. As in the papers, the B-splines follow no affine map of
their own: slices come affinely aligned.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.methods.intensity import (
    IntensitySettings,
    affine_alignment,
    field_alignment,
    refine_affine,
    refine_bspline,
    to_itk_image,
)
from stainbridge.evaluate.methods.views import grey_view, pixels_from_affine
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.geometry.placement import place_unregistered
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide
from stainbridge.types import Matrix

if TYPE_CHECKING:
    import SimpleITK

#: No search over angles: slices lie about on each other.
AFFINE = IntensitySettings(deformable=False, angles=0)
#: Meshes of 2, 4 and 8 cells a side.
BSPLINE = IntensitySettings(deformable=True, angles=0, mesh_factors=(1, 2, 4))


def load_from_given(settings: IntensitySettings) -> LoadedMethod:
    """Return the method with these settings, with SimpleITK loaded."""
    import SimpleITK  # noqa: F401 - loading is not timed

    def align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:  # noqa: ARG001
        fixed_view = grey_view(fixed, settings.working_px)
        moving_view = grey_view(moving, settings.working_px)
        images = to_itk_image(fixed_view), to_itk_image(moving_view)
        placement = place_unregistered(fixed.frame.space, moving.frame.space)
        given = _as_itk(pixels_from_affine(placement, fixed_view, moving_view), images[0])
        if settings.deformable:
            deformed = refine_bspline(images, given, settings)
            return field_alignment(deformed, images[0], fixed_view, moving_view)
        return affine_alignment(refine_affine(images, given, settings), fixed_view, moving_view)

    return LoadedMethod(align)


def _as_itk(matrix: Matrix, image: SimpleITK.Image) -> Any:
    """Return an affine map of pixel indices, (3, 3), about the image's centre."""
    import SimpleITK

    centre = (np.array(image.GetSize()) - 1) / 2
    linear = matrix[:2, :2]
    affine = SimpleITK.AffineTransform(2)
    affine.SetCenter(centre.tolist())
    affine.SetMatrix(linear.ravel().tolist())
    affine.SetTranslation((linear @ centre + matrix[:2, 2] - centre).tolist())
    return affine


METHODS = (
    SliceMethod(
        "affine",
        "SimpleITK, Mattes mutual information, affine, from as given",
        partial(load_from_given, AFFINE),
        partial(asdict, AFFINE),
    ),
    SliceMethod(
        "nmi-bspline",
        "SimpleITK, Mattes mutual information, B-splines, from as given",
        partial(load_from_given, BSPLINE),
        partial(asdict, BSPLINE),
    ),
)
