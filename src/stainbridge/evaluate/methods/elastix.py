"""elastix: affine, then B-splines, by mutual information, with its own default parameter maps.

Klein et al. 2010, "elastix: a toolbox for intensity-based medical image registration",
doi:10.1109/TMI.2009.2035616.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stainbridge.errors import MissingExtraError
from stainbridge.evaluate.methods.alignment import Align, Alignment
from stainbridge.evaluate.methods.intensity import with_indices
from stainbridge.evaluate.methods.views import View, grey_view, transform_from_samples
from stainbridge.slides.slide import Slide

#: Beside the defaults of `GetDefaultParameterMap`: a B-spline grid of 40 pixels, a 25th of the
#: picture as its 10 mm are of a head; pictures aligned by their centres of mass first; a fixed
#: seed; 1000 iterations, for at the default 256 two real pairs of five are not there yet.
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
    """Raises `MissingExtraError` where itk-elastix is not installed."""
    try:
        distribution("itk-elastix")
    except PackageNotFoundError:
        raise MissingExtraError("the method 'elastix'", "itk-elastix", "peers") from None


def elastix() -> Align:
    """The method, with ITK loaded, which takes longer than most registrations."""
    import itk

    itk.elastix_registration_method  # noqa: B018 - ITK loads its modules when first named
    itk.transformix_deformation_field  # noqa: B018

    def align(fixed: Slide, moving: Slide) -> Alignment:
        views = grey_view(fixed, SETTINGS["working_px"]), grey_view(moving, SETTINGS["working_px"])
        images = _image(views[0]), _image(views[1])
        parameters = itk.ParameterObject.New()
        for name in SETTINGS["maps"]:
            parameters.AddParameterMap(_map(parameters, name))
        _, found = itk.elastix_registration_method(
            *images, parameter_object=parameters, log_to_console=False
        )
        with TemporaryDirectory() as folder:  # it leaves its field there as a file, too
            field = itk.transformix_deformation_field(images[1], found, output_directory=folder)
        moved = with_indices(np.moveaxis(itk.array_from_image(field), -1, 0))
        return Alignment(transform_from_samples(moved, views[0].frame, *views))

    return align


def _image(view: View) -> Any:
    import itk

    return itk.image_from_array(255.0 - view.grey.astype(np.float32))


def _map(parameters: Any, name: str) -> Any:
    chosen = parameters.GetDefaultParameterMap(
        name, SETTINGS["resolutions"], SETTINGS["grid_spacing_px"]
    )
    for key, value in SETTINGS["changed"][name].items():
        chosen[key] = value
    return chosen
