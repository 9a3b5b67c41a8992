"""Compare two masks label by label."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.jobs.files.picture_pairs import check_same_size, read_labels
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.metrics.segmentations import MaskScores

#: The scores of a label that are averaged over labels.
SCORES = ("dice", "hausdorff", "hd95", "mean_surface_distance")


@dataclass(frozen=True)
class EvaluateMasksOutcome:
    """How well two masks agree."""

    facts: dict[str, Any]
    """Plain values: the unit of distances, the mean of each score, and each label's scores."""


@dataclass(frozen=True, kw_only=True)
class EvaluateMasksJob:
    """The comparison of two masks of one size as one request."""

    a: Path
    """A mask: 0 is outside, other values are labels."""
    b: Path
    """Another one of the same size."""

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> EvaluateMasksOutcome:
        """Score the masks; `note` is told of labels that only one of them has.

        Masks of one label each are compared whatever its value. What is transparent is outside.
        Raises `InputError` for pictures that are no masks, of different size, or too large.
        """
        from stainbridge.metrics.segmentations import list_labels, score_labels
        from stainbridge.slides.open_mask import open_mask

        with open_mask(self.a) as slide_a, open_mask(self.b) as slide_b:
            check_same_size(self.b, slide_b.frame, self.a, slide_a.frame, note)
            pixels_a = read_labels(self.a, slide_a)
            pixels_b = read_labels(self.b, slide_b)
            frame = slide_a.frame if slide_a.frame.calibrated else slide_b.frame
        labels_a = list_labels(pixels_a, self.a)
        labels_b = list_labels(pixels_b, self.b)
        if len(labels_a) == len(labels_b) == 1:
            pixels_b = (pixels_b != 0) * max(labels_a)
        else:
            for label in sorted(labels_a ^ labels_b):
                note(f"warning: label {label} is only in {self.a if label in labels_a else self.b}")
        scores = _describe_scores(score_labels(pixels_a, pixels_b, frame.mpp), frame)
        return EvaluateMasksOutcome({"a": str(self.a), "b": str(self.b), **scores})


def _describe_scores(scores: dict[int, MaskScores], frame: Frame) -> dict[str, Any]:
    """Return the scores as plain values: the mean over labels, and each label's."""
    rows = {label: asdict(row) for label, row in scores.items()}
    means = {key: sum(row[key] for row in rows.values()) / len(rows) for key in SCORES}
    return {
        "unit": "µm" if frame.calibrated else "px",
        **means,
        "labels": [{"label": label, **row} for label, row in rows.items()],
    }
