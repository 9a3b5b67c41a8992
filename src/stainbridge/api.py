"""The public functions: each opens what it is handed, does one thing, and closes what it opened."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.points import check_points
from stainbridge.imaging.image import Image
from stainbridge.progress import Progress
from stainbridge.registration.config import PresetName, RegisterConfig
from stainbridge.registration.pipeline import ImageTranslation, register_slides
from stainbridge.registration.result import Registration
from stainbridge.slides.coerce import as_slide, channels_first
from stainbridge.slides.slide import Slide

if TYPE_CHECKING:
    from stainbridge.geometry.transform import Transform

#: A path, an opened slide, or an array: (H, W), (H, W, C) or (C, H, W).
SlideSource: TypeAlias = str | PathLike[str] | Slide | npt.NDArray[Any]
DeviceName = Literal["auto", "cpu", "cuda"]


def register(
    fixed: SlideSource,
    moving: SlideSource,
    preset: PresetName = "default",
    *,
    config: RegisterConfig | None = None,
    fixed_mpp: float | None = None,
    moving_mpp: float | None = None,
    fixed_mask: npt.NDArray[Any] | None = None,
    moving_mask: npt.NDArray[Any] | None = None,
    fixed_landmarks: npt.ArrayLike | None = None,
    moving_landmarks: npt.ArrayLike | None = None,
    initial_transform: Transform | None = None,
    allow_flip: bool | None = None,
    max_rotation_deg: float | None = None,
    fixed_translation: ImageTranslation | None = None,
    moving_translation: ImageTranslation | None = None,
    device: DeviceName | None = None,
    threads: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Register two slides: find where each point of the fixed one lies on the moving one.

    A registration that failed is returned, not raised: see its `status` and `reason`.

    Args:
        fixed: The slide that stays where it is: a path, an opened slide or an array.
        moving: The slide that is brought onto the fixed one.
        preset: "fast", "default" or "accurate".
        config: A configuration in place of a preset.
        fixed_mpp: µm per pixel of the fixed slide, for an array or where the file is wrong.
        moving_mpp: The same of the moving slide.
        fixed_mask: (H, W), not 0 where tissue of the fixed slide may be used; any resolution.
        moving_mask: The same of the moving slide.
        fixed_landmarks: (N, 2) x, y in full-resolution pixels, to begin at instead of a search.
        moving_landmarks: The same places on the moving slide, in the same order.
        initial_transform: A transform, moving from fixed, to begin at instead of a search.
        allow_flip: False where the sections are not mirrored. None: as the preset has it.
        max_rotation_deg: Largest rotation to search, in degrees.
        fixed_translation: Applied to every read of the fixed slide, to register another stain.
        moving_translation: The same of the moving slide.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads; None: all.
        seed: Seed of every random choice.
        progress: Called with a stage's name and the fraction done, 0 to 1.

    Returns:
        The registration: transform, status, reason, predicted error.

    Raises:
        InputError: Slides that cannot be read, arguments of another shape or out of range.

    Example:
        >>> registration = stainbridge.register("he.svs", "ki67.svs")  # doctest: +SKIP
        >>> registration.warp_points([[1200, 3400]])  # doctest: +SKIP

    """
    options = {
        "allow_flip": allow_flip,
        "max_rotation_deg": max_rotation_deg,
        "device": device,
        "threads": threads,
        "seed": seed,
    }
    chosen = RegisterConfig.preset(preset) if config is None else config
    chosen = chosen.with_options(**{k: v for k, v in options.items() if v is not None})
    with ExitStack() as stack:
        fixed_slide = _open(fixed, fixed_mpp, "fixed", stack)
        moving_slide = _open(moving, moving_mpp, "moving", stack)
        if fixed_landmarks is not None or moving_landmarks is not None:
            initial_transform = _fit_landmarks(
                fixed_landmarks, moving_landmarks, initial_transform, fixed_slide, moving_slide
            )
        registration = register_slides(
            fixed_slide,
            moving_slide,
            chosen,
            initial_transform=initial_transform,
            fixed_mask=_as_mask(fixed_mask, fixed_slide, "fixed_mask"),
            moving_mask=_as_mask(moving_mask, moving_slide, "moving_mask"),
            fixed_translation=fixed_translation,
            moving_translation=moving_translation,
            progress=progress,
        )
    return replace(
        registration,
        fixed_source=_remember(fixed, fixed_slide),
        moving_source=_remember(moving, moving_slide),
    )


def _open(source: SlideSource, mpp: float | None, name: str, stack: ExitStack) -> Slide:
    """Return a slide; what is opened here is closed with `stack`."""
    slide = as_slide(source, mpp, name=name)
    if isinstance(source, str | PathLike):
        stack.enter_context(slide)
    return slide


def _remember(source: SlideSource, slide: Slide) -> Slide | Path:
    """Return what the slide can be opened from again: its file, or itself."""
    return Path(slide.info.path).absolute() if isinstance(source, str | PathLike) else slide


def _as_mask(mask: npt.NDArray[Any] | None, slide: Slide, name: str) -> Image | None:
    """Return a mask as an image over the whole slide; raise `InputError` for another shape."""
    if mask is None:
        return None
    pixels = channels_first(np.asarray(mask), name)[:1]
    height, width = pixels.shape[1:]
    width_um, height_um = slide.frame.size_um
    frame = replace(
        slide.frame, height=height, width=width, mpp=(width_um / width, height_um / height)
    )
    return Image(pixels, frame, np.ones((height, width), bool))


def _fit_landmarks(
    fixed_px: npt.ArrayLike | None,
    moving_px: npt.ArrayLike | None,
    initial_transform: Transform | None,
    fixed: Slide,
    moving: Slide,
) -> Transform:
    """Return the affine map that fits pairs of points, to begin at."""
    from stainbridge.errors import InputError
    from stainbridge.geometry.fit import fit_landmarks

    if initial_transform is not None:
        raise InputError(
            "an initial transform and landmarks exclude each other", remedy="leave one out"
        )
    if fixed_px is None or moving_px is None:
        raise InputError(
            "landmarks are needed on both slides",
            remedy="give fixed_landmarks and moving_landmarks",
        )
    fixed_points = check_points(fixed_px, "fixed_landmarks")
    moving_points = check_points(moving_px, "moving_landmarks")
    return fit_landmarks(
        fixed.frame.to_um(fixed_points),
        moving.frame.to_um(moving_points),
        fixed.frame.space,
        moving.frame.space,
    )
