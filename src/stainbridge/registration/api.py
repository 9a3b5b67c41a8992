"""`stainbridge.register`: open two slides, configure, register."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.slides.open import open_slide

if TYPE_CHECKING:
    from stainbridge.geometry.transform import Transform
    from stainbridge.imaging.image import Image
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide


def register(
    fixed: Slide | Path | str,
    moving: Slide | Path | str,
    preset: str = "default",
    *,
    start: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    progress: Callable[[str, float], None] | None = None,
    **options: Any,
) -> Registration:
    """Find where each point of the fixed slide lies on the moving one.

    Slides are paths or opened slides; what is opened here is closed here. `preset` is "fast",
    "default" or "accurate"; `options` replace its fields (`seed`, `device`, `allow_flip`,
    `max_rotation_deg`, ...; see `RegisterConfig`). `start` is a `moving_from_fixed` transform to
    begin at. Masks are images (1, H, W), not 0 where tissue may be used. `progress` is called with
    a stage's name and the fraction done.

    A registration that failed is returned, not raised: see its `status` and `reason`. Raises
    `InputError` for slides that cannot be read and options that do not exist.
    """
    config = configure(RegisterConfig.preset(preset), **options)
    with ExitStack() as opened:
        slides = [
            opened.enter_context(open_slide(s)) if isinstance(s, str | Path) else s
            for s in (fixed, moving)
        ]
        return register_slides(
            slides[0],
            slides[1],
            config,
            start=start,
            fixed_mask=fixed_mask,
            moving_mask=moving_mask,
            progress=progress,
        )


def configure(config: RegisterConfig, **options: Any) -> RegisterConfig:
    """`config` with some fields replaced; raises `InputError` for a field it does not have."""
    known = [field.name for field in fields(config)]
    for name in options:
        if name not in known:
            raise InputError("no such option", where=name, expected=", ".join(known))
    return replace(config, **options)
