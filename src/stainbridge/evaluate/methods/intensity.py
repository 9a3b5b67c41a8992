"""Iterative intensity-based registration with SimpleITK: affine, then B-splines.

Settings are those of SimpleITK's own examples: Mattes mutual information of 50 bins, linear
interpolation, gradient descent with scales from physical shift, a pyramid of 4, 2, 1; for the
B-splines gradient descent with line search on a mesh refined by 1, 2, 5. Grey is inverted so that
glass is 0, which centres of mass need. Sections lie at any angle, so twelve initial angles are
tried on coarse images.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment, Method, fail
from stainbridge.evaluate.methods.views import (
    View,
    affine_from_pixels,
    grey_view,
    transform_from_samples,
)
from stainbridge.slides.slide import Slide

if TYPE_CHECKING:
    import SimpleITK


@dataclass(frozen=True)
class IntensitySettings:
    """The settings of the registration; iterations are per level of the pyramid."""

    deformable: bool
    """Whether B-splines follow the affine map."""
    working_px: int = 1024
    """Pixels along the longer side of the pictures."""
    bins: int = 50
    """Histogram bins of the mutual information."""
    sampling: float = 0.2
    """Share of the pixels that it is computed from."""
    seed: int = 1
    """The seed that these pixels are drawn from."""
    angles: int = 12
    """Initial angles, spread over 360°."""
    search_shrink: int = 8
    """Factor by which the pictures are shrunk for the search over angles."""
    search_iterations: int = 50
    """Iterations at each angle."""
    affine_iterations: int = 100
    """Iterations of the affine map."""
    bspline_iterations: int = 100
    """Iterations of the B-splines."""
    mesh: int = 2
    """Cells of the coarsest B-spline mesh along each side."""
    mesh_factors: tuple[int, ...] = (1, 2, 5)
    """Factors by which the mesh is refined, coarse to fine."""


def load_intensity(settings: IntensitySettings) -> Align:
    """Return the method with these settings; its unit of length is a pixel of the pictures."""
    import SimpleITK  # noqa: F401 - loading is not timed

    def align(fixed: Slide, moving: Slide) -> Alignment:
        fixed_view = grey_view(fixed, settings.working_px)
        moving_view = grey_view(moving, settings.working_px)
        images = to_itk_image(fixed_view), to_itk_image(moving_view)
        affine = _refine_affine(images, _search_angles(images, settings), settings)
        if not settings.deformable:
            return affine_alignment(affine, fixed_view, moving_view)
        deformed = refine_bspline(images, affine, settings)
        return field_alignment(deformed, images[0], fixed_view, moving_view)

    return align


def to_itk_image(view: View) -> SimpleITK.Image:
    """Return the grey of a view, inverted."""
    import SimpleITK

    return SimpleITK.GetImageFromArray(255.0 - view.grey.astype(np.float32))


def make_registration_method(settings: IntensitySettings) -> SimpleITK.ImageRegistrationMethod:
    """Return a method with the metric, its samples and the interpolator, without an optimiser."""
    import SimpleITK

    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=settings.bins)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(settings.sampling, settings.seed)
    method.SetInterpolator(SimpleITK.sitkLinear)
    return method


def use_pyramid(method: SimpleITK.ImageRegistrationMethod, factors: tuple[int, ...]) -> None:
    """Have a method shrink and smooth its images by these factors, coarse to fine."""
    method.SetShrinkFactorsPerLevel(list(factors))
    method.SetSmoothingSigmasPerLevel([factor / 2 if factor > 1 else 0 for factor in factors])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()


def _use_gradient_descent(method: SimpleITK.ImageRegistrationMethod, iterations: int) -> None:
    method.SetOptimizerAsGradientDescent(
        learningRate=1.0,
        numberOfIterations=iterations,
        convergenceMinimumValue=1e-6,
        convergenceWindowSize=10,
    )
    method.SetOptimizerScalesFromPhysicalShift()


def _search_angles(
    images: tuple[SimpleITK.Image, SimpleITK.Image], settings: IntensitySettings
) -> Any:
    """Return the similarity transform with the most mutual information.

    One is refined on coarse images from each initial angle.
    """
    import SimpleITK

    candidates: list[tuple[float, Any]] = []
    for angle in np.arange(settings.angles) * 2 * np.pi / settings.angles:
        centred = SimpleITK.CenteredTransformInitializer(
            *images,
            SimpleITK.Similarity2DTransform(),
            SimpleITK.CenteredTransformInitializerFilter.MOMENTS,
        )
        candidate = SimpleITK.Similarity2DTransform(centred)
        candidate.SetAngle(float(angle))
        method = make_registration_method(settings)
        method.SetMetricSamplingStrategy(method.NONE)  # all of the few pixels there are
        _use_gradient_descent(method, settings.search_iterations)
        use_pyramid(method, (settings.search_shrink,))
        method.SetInitialTransform(candidate, inPlace=True)
        try:
            method.Execute(*images)
        except RuntimeError:  # the images no longer overlap: this angle leads nowhere
            continue
        candidates.append((float(method.GetMetricValue()), candidate))
    if not candidates:
        raise RuntimeError("the images overlap from no angle")
    return min(candidates, key=lambda item: item[0])[1]


def _refine_affine(
    images: tuple[SimpleITK.Image, SimpleITK.Image], similarity: Any, settings: IntensitySettings
) -> Any:
    """Refine a similarity transform to an affine map, on the whole pyramid."""
    import SimpleITK

    affine = SimpleITK.AffineTransform(2)
    affine.SetCenter(similarity.GetCenter())
    affine.SetMatrix(similarity.GetMatrix())
    affine.SetTranslation(similarity.GetTranslation())
    method = make_registration_method(settings)
    _use_gradient_descent(method, settings.affine_iterations)
    use_pyramid(method, (4, 2, 1))
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(*images)
    return affine


def refine_bspline(
    images: tuple[SimpleITK.Image, SimpleITK.Image], affine: Any, settings: IntensitySettings
) -> Any:
    """Return the affine map after a B-spline deformation of the fixed image's space."""
    import SimpleITK

    spline = SimpleITK.BSplineTransformInitializer(
        images[0], [settings.mesh, settings.mesh], order=3
    )
    method = make_registration_method(settings)
    method.SetOptimizerAsGradientDescentLineSearch(
        5.0, settings.bspline_iterations, convergenceMinimumValue=1e-4, convergenceWindowSize=5
    )
    use_pyramid(method, (4, 2, 1))
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransformAsBSpline(
        spline, inPlace=True, scaleFactors=list(settings.mesh_factors)
    )
    method.Execute(*images)
    return SimpleITK.CompositeTransform([affine, spline])


def affine_alignment(affine: Any, fixed: View, moving: View) -> Alignment:
    """Return SimpleITK's affine map of the views' pixels as an alignment of the slides."""
    linear = np.array(affine.GetMatrix()).reshape(2, 2)
    centre = np.array(affine.GetCenter())
    shift = np.array(affine.GetTranslation())
    if abs(np.linalg.det(linear)) < 1e-6:
        return fail("the affine map has collapsed")
    return Alignment(
        affine_from_pixels(np.c_[linear, centre + shift - linear @ centre], fixed, moving)
    )


def field_alignment(transform: Any, image: SimpleITK.Image, fixed: View, moving: View) -> Alignment:
    """Return SimpleITK's map of the fixed `image` as an alignment of the slides."""
    import SimpleITK

    sampled = SimpleITK.TransformToDisplacementField(
        transform, SimpleITK.sitkVectorFloat64, image.GetSize()
    )
    field = SimpleITK.GetArrayFromImage(sampled)
    return Alignment(
        transform_from_samples(
            add_pixel_indices(np.moveaxis(field, -1, 0)), fixed.frame, fixed, moving
        )
    )


def add_pixel_indices(displacement: Any) -> Any:
    """Return where pixels go, (2, H, W) in pixel indices, from their displacements."""
    _, height, width = displacement.shape
    return displacement + np.stack(np.meshgrid(np.arange(width), np.arange(height)))


_AFFINE = IntensitySettings(deformable=False)
_BSPLINE = IntensitySettings(deformable=True)

METHODS = (
    Method(
        "simpleitk-affine",
        "SimpleITK, Mattes mutual information, 12 initial angles, affine",
        partial(load_intensity, _AFFINE),
        partial(asdict, _AFFINE),
    ),
    Method(
        "simpleitk-bspline",
        "SimpleITK, the same, then B-splines",
        partial(load_intensity, _BSPLINE),
        partial(asdict, _BSPLINE),
    ),
)
