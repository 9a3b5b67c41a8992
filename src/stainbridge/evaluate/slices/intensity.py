"""SimpleITK by Mattes mutual information, from the slices as given: affine, or B-splines alone.

The settings are those of `evaluate.methods.intensity` but for two. There is no search over angles,
which slices that lie about on each other do not need. The affine map is refined by regular steps:
plain gradient descent does not converge from a start this close. As in the papers, the B-splines
follow no affine map of their own: slices come affinely aligned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.methods.intensity import (
    IntensitySettings,
    affine_alignment,
    field_alignment,
    make_registration_method,
    refine_bspline,
    to_itk_image,
    use_pyramid,
)
from stainbridge.evaluate.methods.views import grey_view, pixels_from_affine
from stainbridge.evaluate.slices.method import LoadedMethod, SliceMethod
from stainbridge.geometry.placement import place_unregistered
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide
from stainbridge.types import Matrix

if TYPE_CHECKING:
    import SimpleITK

#: Steps of the affine map, in pixels: the first one, and the one at which it stops.
FIRST_STEP_PX = 1.0
LAST_STEP_PX = 1e-4
#: No search over angles: slices lie about on each other.
AFFINE = IntensitySettings(deformable=False, angles=0)
#: Meshes of 2, 4 and 8 cells a side.
BSPLINE = IntensitySettings(deformable=True, angles=0, mesh_factors=(1, 2, 4))


def load_from_given(settings: IntensitySettings) -> LoadedMethod:
    """Return the method with these settings, with SimpleITK loaded."""
    import SimpleITK  # noqa: F401 - loading is not timed

    def align(fixed: Slide, moving: Slide, masks: Masks) -> Alignment:  # noqa: ARG001
        with _one_thread():
            return align_alone(fixed, moving)

    def align_alone(fixed: Slide, moving: Slide) -> Alignment:
        fixed_view = grey_view(fixed, settings.working_px)
        moving_view = grey_view(moving, settings.working_px)
        images = to_itk_image(fixed_view), to_itk_image(moving_view)
        placement = place_unregistered(fixed.frame.space, moving.frame.space)
        given = _as_itk(pixels_from_affine(placement, fixed_view, moving_view), images[0])
        if settings.deformable:
            deformed = refine_bspline(images, given, settings)
            return field_alignment(deformed, images[0], fixed_view, moving_view)
        _refine_affine(images, given, settings)
        return affine_alignment(given, fixed_view, moving_view)

    return LoadedMethod(align)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let SimpleITK compute on one thread: what several add up differs from run to run.

    Its metrics heed the number of the process alone, which is put back.
    """
    import SimpleITK

    former = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(former)


def _refine_affine(
    images: tuple[SimpleITK.Image, SimpleITK.Image], affine: Any, settings: IntensitySettings
) -> None:
    """Refine an affine map in place, on the whole pyramid."""
    method = make_registration_method(settings)
    method.SetOptimizerAsRegularStepGradientDescent(
        FIRST_STEP_PX, LAST_STEP_PX, settings.affine_iterations
    )
    method.SetOptimizerScalesFromPhysicalShift()
    use_pyramid(method, (4, 2, 1))
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(*images)


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
        lambda: {**asdict(AFFINE), "steps_px": [FIRST_STEP_PX, LAST_STEP_PX]},
    ),
    SliceMethod(
        "nmi-bspline",
        "SimpleITK, Mattes mutual information, B-splines, from as given",
        partial(load_from_given, BSPLINE),
        partial(asdict, BSPLINE),
    ),
)
