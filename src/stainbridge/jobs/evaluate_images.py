"""Compare two pictures pixel by pixel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.errors import InputError, errors_within
from stainbridge.jobs.files.picture_pairs import read_mask_of, read_picture_pair
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.types import Mask, Pixels


@dataclass(frozen=True)
class EvaluateImagesOutcome:
    """How similar two pictures are."""

    facts: dict[str, Any]
    """Plain values: paths, size in pixels, and each score by name."""


@dataclass(frozen=True, kw_only=True)
class EvaluateImagesJob:
    """The comparison of two pictures of one size as one request."""

    a: Path
    """A picture or slide."""
    b: Path
    """Another one of the same size."""
    mask: Path | None = None
    """Compare only where this picture is not 0."""
    longest_px: Annotated[int | None, Within(1, 65536)] = None
    """Shrink both to this many pixels on the longer side; None compares all pixels."""
    grey: bool = False
    """Compare the mean of the channels."""
    dab: bool = False
    """Also compare the brown stain of two IHC pictures."""
    span: Annotated[float | None, Within(0, 1e30, above=True)] = None
    """The range of possible values; None is that of the pixels' type."""
    lpips: Path | None = None
    """A folder of LPIPS weights, to compare perceptually too; None does not."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> EvaluateImagesOutcome:
        """Score the pictures; `note` is told when their pixel sizes differ.

        Raises `InputError` for pictures of different size, or too large ones.
        """
        self._check()
        pixels_a, pixels_b, frame = read_picture_pair(self.a, self.b, self.longest_px, note)
        inside = None if self.mask is None else read_mask_of(self.mask, frame)
        facts: dict[str, Any] = {
            "a": str(self.a),
            "b": str(self.b),
            "width": frame.width,
            "height": frame.height,
        }
        with errors_within(self.b):
            return EvaluateImagesOutcome(facts | self._score(pixels_a, pixels_b, inside))

    def _score(self, pixels_a: Pixels, pixels_b: Pixels, inside: Mask | None) -> dict[str, Any]:
        """Return all scores of two pictures (C, H, W)."""
        from stainbridge.metrics.images import score_images
        from stainbridge.metrics.stains import score_dab

        if self.grey:
            scores = score_images(
                _mean_channel(pixels_a), _mean_channel(pixels_b), inside, self.span
            )
        else:
            scores = score_images(pixels_a, pixels_b, inside, self.span)
        facts = asdict(scores)
        if self.dab:
            facts["dab"] = asdict(score_dab(pixels_a, pixels_b, inside))
        if self.lpips is not None:
            facts["lpips"] = _score_lpips(self.lpips, pixels_a, pixels_b, scores.span)
        return facts

    def _check(self) -> None:
        if self.lpips is None:
            return
        if self.mask is not None:
            raise InputError(
                "LPIPS compares whole pictures", where=self.mask, remedy="leave the mask out"
            )
        from stainbridge.nn.lpips import find_lpips_files

        find_lpips_files(self.lpips)


def _score_lpips(folder: Path, a: Pixels, b: Pixels, span: float) -> dict[str, float]:
    """Return the distance by each network whose weights are in `folder`."""
    from stainbridge.nn.lpips import Lpips, compare_pixels, find_lpips_files

    return {
        files.network: compare_pixels(Lpips(files), a, b, span)
        for files in find_lpips_files(folder)
    }


def _mean_channel(pixels: Pixels) -> Pixels:
    """Return the mean of the channels, (1, H, W), in the pixels' own type."""
    import numpy as np

    mean = pixels.mean(axis=0, keepdims=True)
    return np.asarray(np.rint(mean) if pixels.dtype.kind in "iu" else mean, pixels.dtype)
