"""Where a crop of the warped slide lies on the fixed slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.jobs.choices import CropChoice, SideChoice
from stainbridge.jobs.files.qupath_offsets import qupath_offset_px

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration


def crop_origin_px(stored: StoredRegistration, crop: CropChoice) -> tuple[int, int]:
    """Return the corner (x, y) of a crop, in full-resolution pixels of the fixed slide.

    Raises `InputError` as `find_output_frame` does, and `RegistrationError` for a failed one.
    """
    from stainbridge.geometry.warp import find_output_frame

    registration = stored.registration
    fixed = registration.fixed
    frame = find_output_frame(registration.transform, fixed, registration.moving, crop)
    x, y = (
        round(origin / mpp) for origin, mpp in zip(frame.origin_um, fixed.space.mpp, strict=True)
    )
    return x, y


def check_crop(crop: CropChoice | None, to: SideChoice) -> None:
    """Raise `InputError` for a crop on the way to the moving slide, which is never cropped."""
    if crop is not None and to == "moving":
        raise InputError(
            "a crop is one of the fixed slide",
            where="--crop",
            expected="--to fixed",
            got="--to moving",
        )


def target_offset_px(
    stored: StoredRegistration, to: SideChoice, crop: CropChoice | None
) -> tuple[float, float]:
    """Return the corner (x, y) that coordinates on the target slide count from.

    It is that of the crop, as `warp slide` writes it, else the one that QuPath counts from.
    """
    if crop is None:
        return qupath_offset_px(stored, to)
    x, y = crop_origin_px(stored, crop)
    return float(x), float(y)
