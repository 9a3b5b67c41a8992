"""One block registered with elastix: B-splines by mutual information, on one channel.

Klein et al. 2010, "elastix: a toolbox for intensity-based medical image registration",
doi:10.1109/TMI.2009.2035616.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stainbridge.errors import MissingExtraError
from stainbridge.types import Field, Mask, Plane

#: What differs from elastix's default map of B-splines, and why: a fixed seed; iterations until a
#: block has converged; no picture, since the field is applied to every channel later.
CHANGED: dict[str, list[str]] = {
    "MaximumNumberOfIterations": ["300"],
    "RandomSeed": ["1"],
    "WriteResultImage": ["false"],
}
#: Levels of the pyramid, each half the resolution of the next.
RESOLUTIONS = 5
#: Distance of the B-splines' nodes at the finest level, in pixels.
GRID_SPACING_PX = 64.0


def check_elastix() -> None:
    """Raise `MissingExtraError` where itk-elastix is not installed."""
    try:
        distribution("itk-elastix")
    except PackageNotFoundError:
        raise MissingExtraError("the engine 'elastix'", "itk-elastix", "peers") from None


def register_block(
    fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None = None
) -> Field | None:
    """Return how far each node of a block moves, (2, h, w) in pixels, fixed to moving.

    Args:
        fixed: One channel of the fixed block, (H, W).
        moving: The same of the pre-aligned moving block.
        spacing_px: Pixels from one node to the next; H and W are multiples of it. A node is the
            centre of its pixels.
        mask: Where the fixed block may be looked at, (H, W); None: everywhere.

    Returns:
        None where elastix gives up, which it does where it finds nothing to compare.

    """
    import itk

    moving_image = itk.image_from_array(np.ascontiguousarray(moving, np.float32))
    options: dict[str, Any] = {}
    if mask is not None:
        options["fixed_mask"] = itk.image_from_array(mask.astype(np.uint8))
    try:
        _, result = itk.elastix_registration_method(
            itk.image_from_array(np.ascontiguousarray(fixed, np.float32)),
            moving_image,
            parameter_object=_make_parameters(itk),
            log_to_console=False,
            number_of_threads=1,  # the sum over threads is not the same in every run
            **options,
        )
        nodes = (fixed.shape[1] // spacing_px, fixed.shape[0] // spacing_px)
        result.SetParameter("Size", [str(count) for count in nodes])
        result.SetParameter("Spacing", [str(float(spacing_px))] * 2)
        result.SetParameter("Origin", [str((spacing_px - 1) / 2)] * 2)
        with TemporaryDirectory() as folder:  # it also writes its field there as a file
            sampled = itk.transformix_deformation_field(
                moving_image, result, output_directory=folder
            )
    except RuntimeError:
        return None
    field = np.moveaxis(itk.array_from_image(sampled), -1, 0)
    return np.asarray(field, np.float32) if np.isfinite(field).all() else None


def _make_parameters(itk: Any) -> Any:
    parameters = itk.ParameterObject.New()
    changed = parameters.GetDefaultParameterMap("bspline", RESOLUTIONS, GRID_SPACING_PX)
    for name, value in CHANGED.items():
        changed[name] = value
    parameters.AddParameterMap(changed)
    return parameters
