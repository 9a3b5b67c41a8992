"""One case as a translation shows it: what methods see, and what they are measured on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.evaluate.synthesis.row import REAL
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.slide import Slide

#: Returns a slide as it looks in another stain, in the same space; closing it closes the slide.
TranslateSlide: TypeAlias = Callable[[Slide], Slide]
#: The slide of a pair that is translated.
TranslatedSide: TypeAlias = Literal["fixed", "moving"]

#: Longest side in pixels of the first look at a translated slide.
LOOK_PX = 1024


@dataclass(frozen=True, eq=False)
class Translation:
    """What one slide of a pair goes through before the pair is registered."""

    name: str
    """What tables call it."""
    translate: TranslateSlide | None = None
    """The translation; None shows the pair as it is."""
    source: str = ""
    """The stain that it begins at."""
    side: TranslatedSide | None = None
    """The slide that is translated; None: the one in the source stain."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What rows depend on: other settings are another translation."""


#: The pair as it is.
REAL_PAIR = Translation(REAL)


class NoSourceSlideError(InputError):
    """Neither slide of a pair is in the stain that a translation begins at."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The opened slides of a case, real and as a method sees them."""

    case: Case
    """The case."""
    real: tuple[Slide, Slide]
    """The fixed and the moving slide."""
    seen: tuple[Slide, Slide]
    """The same, one of them translated."""
    translated: str
    """The slide that is translated: `fixed`, `moving`, or empty."""
    translation_s: float | None
    """Wall time of a first look at it; None where nothing is translated."""
    same_stain: Slide | None
    """The fixed section in the moving slide's stain; None where it is not known."""


@contextmanager
def open_scene(
    case: Case, translation: Translation, open_same_stain: OpenSlideFunction | None
) -> Iterator[Scene]:
    """Open a case as a translation shows it.

    Raises `InputError` for slides that cannot be read or translated, and `NoSourceSlideError`.
    """
    with ExitStack() as opened:
        fixed = opened.enter_context(case.open_fixed())
        moving = opened.enter_context(case.open_moving())
        same_stain = opened.enter_context(open_same_stain()) if open_same_stain else None
        if translation.translate is None:
            yield Scene(case, (fixed, moving), (fixed, moving), "", None, same_stain)
            return
        side = translation.side or find_source_side(fixed, moving, translation.source)
        began = time.perf_counter()
        made = opened.enter_context(translation.translate(fixed if side == "fixed" else moving))
        made.read(made.frame.fit(LOOK_PX))
        seconds = time.perf_counter() - began
        seen = (made, moving) if side == "fixed" else (fixed, made)
        yield Scene(case, (fixed, moving), seen, side, seconds, same_stain)


def find_source_side(fixed: Slide, moving: Slide, source: str) -> TranslatedSide:
    """Return the slide that is in the stain `source`, by its metadata or the words of its name.

    Raises `NoSourceSlideError` where neither is.
    """
    if is_stained(fixed, source):
        return "fixed"
    if is_stained(moving, source):
        return "moving"
    raise NoSourceSlideError(
        f"neither slide says that it is {source}",
        where=f"{Path(fixed.info.path).name}, {Path(moving.info.path).name}",
        remedy="name the side by --translate",
    )


def is_stained(slide: Slide, stain: str) -> bool:
    """Return whether a slide says that it is in `stain`, or else a word of its file's name does."""
    if slide.stain is not None:
        return slide.stain.casefold() == stain.casefold()
    words = re.split(r"[^0-9a-z]+", Path(slide.info.path).name.casefold())
    return stain.casefold() in words
