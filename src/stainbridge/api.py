"""The public functions: each opens what it is handed, does one thing, and closes what it opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy.typing as npt

from stainbridge.arguments import (
    LandmarkSource,
    SlideSource,
    as_landmarks,
    as_mask,
    check_landmarks,
    check_mpp,
    check_number,
    check_whole,
    choose_start,
    name_type,
)
from stainbridge.compute import DeviceChoice, Precision, choose_device
from stainbridge.errors import InputError
from stainbridge.geometry.transform import Transform
from stainbridge.joint.synthesis import Side, choose_apply_config, translate_pair
from stainbridge.learn.named_weights import find_weights
from stainbridge.metrics import landmarks as landmark_metrics
from stainbridge.metrics.landmarks import LandmarkScores
from stainbridge.progress import Note, Progress, ignore_note
from stainbridge.registration.config import PresetName, RegisterConfig, TransformName
from stainbridge.registration.pipeline import ImageTranslation, register_slides
from stainbridge.registration.result import Registration
from stainbridge.slides.coerce import as_slide
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.apply import ApplyConfig, translate_slide
from stainbridge.translation.inference.model import Model, read_model
from stainbridge.translation.inference.tiling import usual_tile


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
    fixed_landmarks: LandmarkSource | None = None,
    moving_landmarks: LandmarkSource | None = None,
    initial_transform: Transform | None = None,
    transform: TransformName | None = None,
    allow_flip: bool | None = None,
    max_rotation_deg: float | None = None,
    translator: str | PathLike[str] | None = None,
    translate: Side | None = None,
    fixed_translation: ImageTranslation | None = None,
    moving_translation: ImageTranslation | None = None,
    device: DeviceChoice | None = None,
    threads: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Register two slides: find where each point of the fixed one lies on the moving one.

    A registration that failed is returned, not raised: see its `status` and `reason`.
    An option that is None keeps the value of the preset or the configuration.

    Args:
        fixed: The slide that stays where it is: a path, an opened slide or an array (H, W),
            (H, W, C) or (C, H, W). What is opened here is closed here.
        moving: The slide that is brought onto the fixed one.
        preset: "fast", "default" or "accurate".
        config: A configuration in place of a preset.
        fixed_mpp: µm per pixel of the fixed slide, for an array or where the file is wrong.
        moving_mpp: The same of the moving slide.
        fixed_mask: (H, W), not 0 where tissue of the fixed slide may be used. It covers the whole
            slide, at any resolution.
        moving_mask: The same of the moving slide.
        fixed_landmarks: (N, 2) x, y in full-resolution pixels, to begin at instead of a search.
            Two pairs fit a similarity, three or more an affine map.
        moving_landmarks: The same places on the moving slide, in the same order.
        initial_transform: A transform, moving from fixed, to begin at instead of a search. Its
            affine part is refined.
        transform: What the transform may do: "rigid" turns, mirrors and shifts, "affine" scales and
            shears too, and "deformable" deforms.
        allow_flip: Whether one section may be mirrored.
        max_rotation_deg: Largest rotation to search, in degrees, 0 to 180.
        translator: A run folder of `train translate`, a file of weights or the name of weights.
            The registration sees one slide as this model translates it to the other's stain.
        translate: The slide that is translated, "fixed" or "moving"; None: by the slides' stains
            where they are known, else the fixed one.
        fixed_translation: Applied to every read of the fixed slide, to register another stain.
        moving_translation: The same of the moving slide.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads.
        seed: Seed of every random choice, 0 to 2**32 - 1.
        progress: Called with a stage's name and the fraction done, 0 to 1.

    Returns:
        The registration: transform, status, reason, predicted error.

    Raises:
        InputError: Slides that cannot be read, arguments of another shape or out of range.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy")
        >>> registration = stainbridge.register(pair.fixed, pair.moving, "fast", seed=1)
        >>> registration.status
        'ok'
        >>> registration.warp_points([[120, 80], [64, 200]]).shape
        (2, 2)

    """
    config = _choose_config(preset, config)
    if transform is not None:
        config = config.with_transform(transform)
    config = config.with_options(
        **_given_options(
            allow_flip=allow_flip,
            max_rotation_deg=check_number(max_rotation_deg, "max_rotation_deg"),
            device=device,
            threads=check_whole(threads, "threads"),
            seed=check_whole(seed, "seed"),
        )
    )
    for name, translation in (
        ("fixed_translation", fixed_translation),
        ("moving_translation", moving_translation),
    ):
        if translation is not None and not callable(translation):
            raise InputError(
                "not a function", where=name, expected="Image -> Image", got=name_type(translation)
            )
    model = _read_translator(translator, translate, fixed_translation or moving_translation)
    with ExitStack() as stack:
        fixed_slide = _open(fixed, fixed_mpp, "fixed", stack)
        moving_slide = _open(moving, moving_mpp, "moving", stack)
        seen = fixed_slide, moving_slide
        if model is not None:
            apply = choose_apply_config(model, choose_device(config.device), config.seed)
            pair = translate_pair(fixed_slide, moving_slide, model, translate, apply)
            seen = pair.fixed, pair.moving
        initial_transform = choose_start(
            initial_transform,
            fixed_landmarks,
            moving_landmarks,
            fixed_slide.frame.space,
            moving_slide.frame.space,
        )
        registration = register_slides(
            *seen,
            config,
            initial_transform=initial_transform,
            fixed_mask=as_mask(fixed_mask, fixed_slide.frame, "fixed_mask"),
            moving_mask=as_mask(moving_mask, moving_slide.frame, "moving_mask"),
            fixed_translation=fixed_translation,
            moving_translation=moving_translation,
            progress=progress,
        )
    return replace(
        registration,
        fixed_source=_remember(fixed, fixed_slide),
        moving_source=_remember(moving, moving_slide),
    )


def translate(
    slide: SlideSource,
    model: str | PathLike[str],
    *,
    mpp: float | None = None,
    slide_mpp: float | None = None,
    reverse: bool = False,
    glass: bool = False,
    tile_px: int | None = None,
    device: DeviceChoice = "auto",
    precision: Precision = "32",
    seed: int = 0,
    note: Note = ignore_note,
) -> Slide:
    """Translate a slide to another stain; pixels are computed as they are read.

    Closing the result closes `slide`.

    Args:
        slide: The slide: a path, an opened slide or an array.
        model: A run folder of `train translate`, a file of weights, or the name of weights, such
            as "he-panck".
        mpp: µm per pixel to translate at; None: as the model was trained.
        slide_mpp: µm per full-resolution pixel of the slide, for an array or where the file is
            wrong.
        reverse: Whether to translate from target to source, where the model learned that too.
        glass: Whether glass is translated too; otherwise it becomes white.
        tile_px: Side of the tiles that the network is shown, in pixels. Memory grows with its
            square. None: as the network needs.
        device: "auto", "cpu" or "cuda".
        precision: "32", "bf16" or "16" bits; fewer are faster and change a few grey levels.
        seed: Draws the tiles whose statistics stand for the slide's.
        note: Called with each warning, one line; `print` shows them.

    Returns:
        A slide of the target stain with 8-bit pixels, at `mpp`.

    Raises:
        InputError: A slide or a model that cannot be used, an argument out of range.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=512, mpp=1.0)
        >>> panck = stainbridge.translate(pair.fixed, "he-panck", tile_px=272, device="cpu")
        >>> panck.stain
        'PanCK'
        >>> panck.read(panck.frame.crop(200, 200, 64, 64)).pixels.shape
        (3, 64, 64)

    """
    check_mpp(mpp, "mpp")
    loaded = _read_model(model, "model")
    loaded = loaded.reverse() if reverse else loaded
    tile_px = check_whole(tile_px, "tile_px")
    if tile_px is None:
        tile_px = usual_tile(loaded.generator.reach, loaded.period)
    config = ApplyConfig(tile_px, device, precision, mpp, glass, seed)
    with ExitStack() as stack:
        source = _open(slide, slide_mpp, "slide", stack)
        translated = translate_slide(source, loaded, config, note)
        stack.pop_all()  # nothing failed: the slide is the caller's to close
    return translated


def score_landmarks(
    registration: Registration | Transform,
    fixed_landmarks: LandmarkSource,
    moving_landmarks: LandmarkSource,
) -> LandmarkScores:
    """Measure a registration on pairs of landmarks, on the fixed slide.

    The moving landmarks are warped to the fixed slide and compared with the fixed ones. Errors are
    given in µm (TRE), in pixels, and as a fraction of the fixed slide's diagonal (rTRE).

    Args:
        registration: A registration, or a transform, moving from fixed.
        fixed_landmarks: (N, 2) x, y in full-resolution pixels, or `Landmarks`.
        moving_landmarks: The same places on the moving slide, in the same order.

    Returns:
        `before` and `after`, each with median, mean, 90th percentile and maximum of `tre_um`,
        `tre_px` and `rtre`; and `robustness`, the fraction of landmarks that improved.

    Raises:
        InputError: Landmarks of another shape, of unequal counts, of another slide, or none.
        RegistrationError: The registration failed.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0)
        >>> landmarks = pair.fixed_landmarks, pair.moving_landmarks
        >>> scores = stainbridge.score_landmarks(pair.truth, *landmarks)
        >>> scores.after.rtre.median < 1e-6 < scores.before.rtre.median
        True
        >>> scores.robustness
        1.0

    """
    if not isinstance(registration, Registration | Transform):
        raise InputError(
            "not a registration",
            where="registration",
            expected="a registration or a transform",
            got=name_type(registration),
        )
    transform = registration.transform if isinstance(registration, Registration) else registration
    fixed_px, moving_px = check_landmarks(
        fixed_landmarks, moving_landmarks, transform.source, transform.target
    )
    return landmark_metrics.score_landmarks(
        transform,
        as_landmarks(fixed_px, transform.source),
        as_landmarks(moving_px, transform.target),
    )


def _read_model(model: object, name: str) -> Model:
    """Return the translation of a run folder, a file of weights or the name of weights."""
    if not isinstance(model, str | PathLike):
        raise InputError(
            "not a model",
            where=name,
            expected="a run folder, a file of weights or a name",
            got=name_type(model),
        )
    return read_model(find_weights(fspath(model)))


def _read_translator(
    translator: object, translate: Side | None, translation: ImageTranslation | None
) -> Model | None:
    """Return the translation before a registration, None where none is asked for."""
    if translator is None:
        if translate is not None:
            raise InputError("a side without a translation", remedy="hand in translator= too")
        return None
    if translation is not None:
        raise InputError("a translator and a translation exclude each other", remedy="leave one")
    return _read_model(translator, "translator")


def _choose_config(preset: PresetName, config: RegisterConfig | None) -> RegisterConfig:
    """Return the configuration, or the preset's where there is none."""
    if not isinstance(preset, str):
        raise InputError(
            "a preset is a name",
            where="preset",
            expected="fast, default or accurate",
            got=name_type(preset),
            remedy="hand a configuration in as config=",
        )
    named = RegisterConfig.preset(preset)
    if config is None:
        return named
    if not isinstance(config, RegisterConfig):
        raise InputError(
            "not a configuration",
            where="config",
            expected="a RegisterConfig",
            got=name_type(config),
        )
    if preset != "default":
        raise InputError("a preset and a config exclude each other", remedy="leave one out")
    return config


def _given_options(**options: object) -> Mapping[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _open(source: SlideSource, mpp: float | None, name: str, stack: ExitStack) -> Slide:
    """Return a slide; what is opened here is closed with `stack`."""
    check_mpp(mpp, "slide_mpp" if name == "slide" else f"{name}_mpp")
    slide = as_slide(source, mpp, name=name)
    if isinstance(source, str | PathLike):
        stack.enter_context(slide)
    return slide


def _remember(source: SlideSource, slide: Slide) -> Slide | Path:
    """Return what the slide can be opened from again: its file, or itself."""
    return Path(slide.info.path).absolute() if isinstance(source, str | PathLike) else slide
