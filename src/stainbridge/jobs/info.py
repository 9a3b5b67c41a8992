"""Describe a slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.slides.slide import Slide


@dataclass(frozen=True)
class InfoOutcome:
    """What is known of a slide."""

    facts: dict[str, Any]
    """Plain values: sizes in pixels, `mpp` in µm per pixel (x, y)."""


@dataclass(frozen=True, kw_only=True)
class InfoJob:
    """The description of a slide as one request."""

    slide: Path
    """A whole-slide image, or any picture."""

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> InfoOutcome:
        """Open the slide and describe it; `note` is told what is doubtful about the file.

        Raises `InputError` for a file that cannot be read.
        """
        from stainbridge.slides.open import open_slide

        with open_slide(self.slide) as opened:
            facts = describe_slide(opened)
        for warning in facts["warnings"]:
            note(f"warning: {self.slide}: {warning}")
        return InfoOutcome(facts)


def describe_slide(slide: Slide) -> dict[str, Any]:
    """Return the facts of a slide as plain values; sizes in pixels, `mpp` in µm (x, y)."""
    import numpy as np

    info = slide.info
    return {
        "path": info.path,
        "format": info.format,
        "vendor": info.vendor,
        "reader": info.reader,
        "width": slide.frame.width,
        "height": slide.frame.height,
        "mpp": list(slide.frame.mpp),
        "calibrated": slide.frame.calibrated,
        "dtype": np.dtype(info.dtype).name,
        "channels": [channel.name for channel in info.channels],
        "stain": slide.stain,
        "levels": [_describe_level(level, slide.frame) for level in slide.levels],
        "warnings": list(info.warnings),
    }


def _describe_level(level: Frame, full: Frame) -> dict[str, Any]:
    return {
        "width": level.width,
        "height": level.height,
        "mpp": list(level.mpp),
        "downsample": level.mpp[0] / full.mpp[0],
    }
