"""elastix with its default parameter maps: affine, then B-splines, by mutual information.

Klein et al. 2010, "elastix: a toolbox for intensity-based medical image registration",
doi:10.1109/TMI.2009.2035616.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stainbridge.errors import MissingExtraError
from stainbridge.evaluate.methods.alignment import Align, Alignment, Method
from stainbridge.evaluate.methods.intensity import add_pixel_indices
from stainbridge.evaluate.methods.views import View, grey_view, transform_from_samples
from stainbridge.slides.slide import Slide

#: What differs from the defaults of `GetDefaultParameterMap`: a B-spline grid of 40 pixels, a 25th
#: of the picture as its 10 mm are of a head; a start from the centres of mass; a fixed seed; 1000
#: iterations, because at the default 256 two of five real pairs have not converged.
SETTINGS: dict[str, Any] = {
    "working_px": 1024,
    "maps": ("affine", "bspline"),
    "changed": {
        "affine": {
            "AutomaticTransformInitialization": ["true"],
            "AutomaticTransformInitializationMethod": ["CenterOfGravity"],
            "MaximumNumberOfIterations": ["1000"],
            "RandomSeed": ["1"],
        },
        "bspline": {"MaximumNumberOfIterations": ["1000"], "RandomSeed": ["1"]},
    },
    "grid_spacing_px": 40.0,
    "resolutions": 4,
}


def check() -> None:
    """Raise `MissingExtraError` where itk-elastix is not installed."""
    try:
        distribution("itk-elastix")
    except PackageNotFoundError:
        raise MissingExtraError("the method 'elastix'", "itk-elastix", "peers") from None


def load_elastix(settings: dict[str, Any] = SETTINGS) -> Align:
    """Return the method with ITK loaded, which takes longer than most registrations.

    `settings` has the keys of `SETTINGS`.
    """
    import itk

    itk.elastix_registration_method  # noqa: B018 - ITK loads its modules when first named
    itk.transformix_deformation_field  # noqa: B018

    def align(fixed: Slide, moving: Slide) -> Alignment:
        fixed_view = grey_view(fixed, settings["working_px"])
        moving_view = grey_view(moving, settings["working_px"])
        moving_image = _to_itk(moving_view)
        parameters = itk.ParameterObject.New()
        for name in settings["maps"]:
            parameters.AddParameterMap(_parameter_map(parameters, name, settings))
        _, result = itk.elastix_registration_method(
            _to_itk(fixed_view), moving_image, parameter_object=parameters, log_to_console=False
        )
        with TemporaryDirectory() as folder:  # it also writes its field there as a file
            field = itk.transformix_deformation_field(moving_image, result, output_directory=folder)
        moved = add_pixel_indices(np.moveaxis(itk.array_from_image(field), -1, 0))
        transform = transform_from_samples(moved, fixed_view.frame, fixed_view, moving_view)
        return Alignment(transform)

    return align


def _to_itk(view: View) -> Any:
    import itk

    return itk.image_from_array(255.0 - view.grey.astype(np.float32))


def _parameter_map(parameters: Any, name: str, settings: dict[str, Any]) -> Any:
    parameter_map = parameters.GetDefaultParameterMap(
        name, settings["resolutions"], settings["grid_spacing_px"]
    )
    for key, value in settings["changed"][name].items():
        parameter_map[key] = value
    return parameter_map


METHODS = (
    Method(
        "elastix",
        "elastix, its default maps: affine, B-splines, mutual information",
        load_elastix,
        SETTINGS.copy,
        check,
    ),
)
