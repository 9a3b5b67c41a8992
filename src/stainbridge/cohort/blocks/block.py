"""A block: slides of one piece of tissue, all of which are aligned to one of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from stainbridge.cohort.case import CohortCase


@dataclass(frozen=True, kw_only=True)
class BlockSlide:
    """One slide of a block."""

    name: str
    """What tells it from the others of the block: its stain."""
    path: Path
    """Its file."""
    mask: Path | None = None
    """A picture of it that is not 0 where tissue may be used."""
    mpp: float | None = None
    """µm per pixel, where the file is wrong or silent."""
    landmarks: Path | None = None
    """Points on it, to measure results by."""
    annotations: Path | None = None
    """GeoJSON to carry onto the reference; that of the reference is carried onto all others."""
    write_slide: bool = False
    """Whether to write it aligned to the reference."""

    def describe(self) -> dict[str, Any]:
        """Return the fields as JSON values; paths with forward slashes."""
        return {
            name: value.as_posix() if isinstance(value, Path) else value
            for name, value in vars(self).items()
        }

    def list_files(self) -> dict[str, Path]:
        """Return the files of the slide by their column."""
        files = {
            "slide": self.path,
            "mask": self.mask,
            "landmarks": self.landmarks,
            "annotations": self.annotations,
        }
        return {name: path for name, path in files.items() if path is not None}


@dataclass(frozen=True)
class Block:
    """Slides of one piece of tissue; the first is the reference."""

    id: str
    """What tells the block from others."""
    slides: tuple[BlockSlide, ...]
    """The slides; all others are aligned to the first."""

    @property
    def reference(self) -> BlockSlide:
        """The slide that stays in place."""
        return self.slides[0]

    def find(self, name: str) -> BlockSlide:
        """Return the slide of this name."""
        return next(slide for slide in self.slides if slide.name == name)

    def name_result(self, name: str) -> str:
        """Return the id of what aligns a slide to the reference."""
        return f"{self.id}.{name}"

    def list_pairs(self) -> tuple[tuple[BlockSlide, BlockSlide], ...]:
        """Return every two slides, the fixed one first."""
        return tuple(combinations(self.slides, 2))

    def list_cases(self) -> tuple[CohortCase, ...]:
        """Return the case of every two slides."""
        return tuple(self._make_case(fixed, moving) for fixed, moving in self.list_pairs())

    def name_pair(self, fixed: BlockSlide, moving: BlockSlide) -> str:
        """Return the id of the case of two slides."""
        return f"{self.id}.{moving.name}-on-{fixed.name}"

    def _make_case(self, fixed: BlockSlide, moving: BlockSlide) -> CohortCase:
        has_points = fixed.landmarks is not None and moving.landmarks is not None
        return CohortCase(
            id=self.name_pair(fixed, moving),
            fixed=fixed.path,
            moving=moving.path,
            fixed_mask=fixed.mask,
            moving_mask=moving.mask,
            fixed_mpp=fixed.mpp,
            moving_mpp=moving.mpp,
            fixed_landmarks=fixed.landmarks if has_points else None,
            moving_landmarks=moving.landmarks if has_points else None,
        )
