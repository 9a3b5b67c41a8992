"""A pair of slides to align, and what is known of the right answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from stainbridge.errors import InputError
from stainbridge.slides.open import open_slide
from stainbridge.slides.open_mask import open_mask
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

#: Opens a slide; the caller closes it.
OpenSlideFunction = Callable[[], Slide]


@dataclass(frozen=True, eq=False)
class Case:
    """A fixed and a moving slide, opened when asked for; the caller closes what it opened.

    Raises `InputError` when landmarks don't correspond.
    """

    id: str
    """What tells it from other cases of its data set."""
    open_fixed: OpenSlideFunction
    """Opens the fixed slide."""
    open_moving: OpenSlideFunction
    """Opens the moving slide."""
    landmarks: tuple[Points, Points] | None = None
    """(fixed, moving) corresponding points, each (N, 2) in full-resolution pixels of its slide."""
    open_fixed_mask: OpenSlideFunction | None = None
    """Opens a slide of one channel, not 0 where the fixed slide is to be used."""
    open_moving_mask: OpenSlideFunction | None = None
    """The same for the moving slide."""
    moving_only: Points | None = None
    """Moving points, (N, 2) in pixels, whose fixed counterparts a challenge does not publish."""
    cover: tuple[str, ...] = ()
    """The row of ANHIR's cover table, which a submission repeats: source image and landmarks,
    target image and landmarks, status."""
    open_fixed_labels: OpenSlideFunction | None = None
    """Opens a slide of one channel whose values are classes of the fixed slide's tissue; 0: none.
    """
    open_moving_labels: OpenSlideFunction | None = None
    """The same for the moving slide."""

    def __post_init__(self) -> None:
        if self.landmarks is None:
            return
        fixed, moving = self.landmarks
        if fixed.shape != moving.shape or fixed.ndim != 2 or fixed.shape[1] != 2:
            raise InputError(
                "landmarks do not correspond",
                where=self.id,
                expected="two (N, 2)",
                got=f"{fixed.shape}, {moving.shape}",
            )

    @classmethod
    def from_files(
        cls,
        case_id: str,
        fixed: Path,
        moving: Path,
        landmarks: tuple[Points, Points] | None = None,
        fixed_mask: Path | None = None,
        moving_mask: Path | None = None,
        moving_only: Points | None = None,
        fixed_labels: Path | None = None,
        moving_labels: Path | None = None,
    ) -> Self:
        """Return a case of files; they are not touched until opened."""
        return cls(
            case_id,
            partial(open_slide, fixed),
            partial(open_slide, moving),
            landmarks,
            _defer_mask(fixed_mask),
            _defer_mask(moving_mask),
            moving_only,
            open_fixed_labels=_defer_mask(fixed_labels),
            open_moving_labels=_defer_mask(moving_labels),
        )


def _defer_mask(path: Path | None) -> OpenSlideFunction | None:
    return None if path is None else partial(open_mask, path)
