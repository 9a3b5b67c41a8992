"""Iterative intensity-based registration with SimpleITK: mutual information, affine, then
B-splines.

Settings are those of SimpleITK's own examples: Mattes mutual information of 50 bins, linear
interpolation, gradient descent with scales from physical shift, a pyramid of 4, 2, 1; for the
B-splines gradient descent with line search on a mesh refined by 1, 2, 5. Grey is inverted so that
glass is 0, as centres of mass want it, and because sections lie anyhow, twelve start angles are
tried on coarse images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stainbridge.evaluate.methods.alignment import Align, Alignment, failed
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
    """`deformable` adds the B-spline stage; iterations are per level of the pyramid."""

    deformable: bool
    working_px: int = 1024
    bins: int = 50
    sampling: float = 0.2
    seed: int = 1
    angles: int = 12
    search_shrink: int = 8
    search_iterations: int = 50
    affine_iterations: int = 100
    bspline_iterations: int = 100
    mesh: int = 2
    mesh_factors: tuple[int, ...] = (1, 2, 5)


def intensity(settings: IntensitySettings) -> Align:
    """The method with these settings; pixels of the working images are its unit of length."""
    import SimpleITK  # noqa: F401 - loading is not timed

    def align(fixed: Slide, moving: Slide) -> Alignment:
        views = grey_view(fixed, settings.working_px), grey_view(moving, settings.working_px)
        images = _image(views[0]), _image(views[1])
        affine = _refined(images, _turned(images, settings), settings)
        if not settings.deformable:
            return _affine_alignment(affine, *views)
        return _field_alignment(_bent(images, affine, settings), images[0], *views)

    return align


def _image(view: View) -> SimpleITK.Image:
    import SimpleITK

    return SimpleITK.GetImageFromArray(255.0 - view.grey.astype(np.float32))


def _method(settings: IntensitySettings) -> SimpleITK.ImageRegistrationMethod:
    import SimpleITK

    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=settings.bins)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(settings.sampling, settings.seed)
    method.SetInterpolator(SimpleITK.sitkLinear)
    return method


def _pyramid(method: SimpleITK.ImageRegistrationMethod, factors: tuple[int, ...]) -> None:
    method.SetShrinkFactorsPerLevel(list(factors))
    method.SetSmoothingSigmasPerLevel([factor / 2 if factor > 1 else 0 for factor in factors])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()


def _descend(method: SimpleITK.ImageRegistrationMethod, iterations: int) -> None:
    method.SetOptimizerAsGradientDescent(
        learningRate=1.0,
        numberOfIterations=iterations,
        convergenceMinimumValue=1e-6,
        convergenceWindowSize=10,
    )
    method.SetOptimizerScalesFromPhysicalShift()


def _turned(images: tuple[SimpleITK.Image, SimpleITK.Image], settings: IntensitySettings) -> Any:
    """The similarity, of those that coarse images lead to from all angles, with the most mutual
    information.
    """
    import SimpleITK

    found: list[tuple[float, Any]] = []
    for angle in np.arange(settings.angles) * 2 * np.pi / settings.angles:
        start = SimpleITK.CenteredTransformInitializer(
            *images,
            SimpleITK.Similarity2DTransform(),
            SimpleITK.CenteredTransformInitializerFilter.MOMENTS,
        )
        start = SimpleITK.Similarity2DTransform(start)
        start.SetAngle(float(angle))
        method = _method(settings)
        method.SetMetricSamplingStrategy(method.NONE)  # all of the few pixels there are
        _descend(method, settings.search_iterations)
        _pyramid(method, (settings.search_shrink,))
        method.SetInitialTransform(start, inPlace=True)
        try:
            method.Execute(*images)
        except RuntimeError:  # the images no longer overlap from here: this angle is out
            continue
        found.append((float(method.GetMetricValue()), start))
    if not found:
        raise RuntimeError("the images overlap from no angle")
    return min(found, key=lambda item: item[0])[1]


def _refined(
    images: tuple[SimpleITK.Image, SimpleITK.Image], start: Any, settings: IntensitySettings
) -> Any:
    """An affine map from a similarity, on the whole pyramid."""
    import SimpleITK

    affine = SimpleITK.AffineTransform(2)
    affine.SetCenter(start.GetCenter())
    affine.SetMatrix(start.GetMatrix())
    affine.SetTranslation(start.GetTranslation())
    method = _method(settings)
    _descend(method, settings.affine_iterations)
    _pyramid(method, (4, 2, 1))
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(*images)
    return affine


def _bent(
    images: tuple[SimpleITK.Image, SimpleITK.Image], affine: Any, settings: IntensitySettings
) -> Any:
    """The affine map after a B-spline deformation of the fixed image's space."""
    import SimpleITK

    spline = SimpleITK.BSplineTransformInitializer(
        images[0], [settings.mesh, settings.mesh], order=3
    )
    method = _method(settings)
    method.SetOptimizerAsGradientDescentLineSearch(
        5.0, settings.bspline_iterations, convergenceMinimumValue=1e-4, convergenceWindowSize=5
    )
    _pyramid(method, (4, 2, 1))
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransformAsBSpline(
        spline, inPlace=True, scaleFactors=list(settings.mesh_factors)
    )
    method.Execute(*images)
    return SimpleITK.CompositeTransform([affine, spline])


def _affine_alignment(affine: Any, fixed: View, moving: View) -> Alignment:
    linear = np.array(affine.GetMatrix()).reshape(2, 2)
    centre, shift = np.array(affine.GetCenter()), np.array(affine.GetTranslation())
    if abs(np.linalg.det(linear)) < 1e-6:
        return failed("the affine map has collapsed")
    return Alignment(
        affine_from_pixels(np.c_[linear, centre + shift - linear @ centre], fixed, moving)
    )


def _field_alignment(
    transform: Any, image: SimpleITK.Image, fixed: View, moving: View
) -> Alignment:
    import SimpleITK

    sampled = SimpleITK.TransformToDisplacementField(
        transform, SimpleITK.sitkVectorFloat64, image.GetSize()
    )
    field = SimpleITK.GetArrayFromImage(sampled)
    return Alignment(
        transform_from_samples(with_indices(np.moveaxis(field, -1, 0)), fixed.frame, fixed, moving)
    )


def with_indices(displacement: Any) -> Any:
    """Where pixels go, (2, H, W) in pixel indices, from by how much they are displaced."""
    _, height, width = displacement.shape
    return displacement + np.stack(np.meshgrid(np.arange(width), np.arange(height)))
