"""Compare warped landmarks with where they should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import errors_within
from stainbridge.jobs.files.qupath_offsets import qupath_offset_px
from stainbridge.jobs.files.stored_slides import load_result
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from stainbridge.metrics.landmarks import LandmarkScores


@dataclass(frozen=True)
class EvaluateLandmarksOutcome:
    """How far landmarks are from where they should be."""

    scores: LandmarkScores
    """Errors before and after the registration."""
    is_calibrated: bool
    """Whether the fixed slide has a pixel size, so that errors in µm mean something."""


@dataclass(frozen=True, kw_only=True)
class EvaluateLandmarksJob:
    """The comparison of landmarks as one request."""

    fixed_landmarks: Path
    """A CSV file of points on the fixed slide."""
    moving_landmarks: Path
    """A CSV file of the same points on the moving slide."""
    result: Path
    """The folder of a registration."""

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> EvaluateLandmarksOutcome:
        """Score the landmarks.

        Raises `InputError` for files that do not correspond, and `RegistrationError` when the
        registration failed.
        """
        from stainbridge.jobs.files.inputs import read_landmark_pair
        from stainbridge.metrics.landmarks import score_landmarks

        stored = load_result(self.result, note)
        registration = stored.registration
        fixed, moving = read_landmark_pair(
            self.fixed_landmarks,
            self.moving_landmarks,
            registration.fixed,
            registration.moving,
            fixed_offset_px=qupath_offset_px(stored, "fixed"),
            moving_offset_px=qupath_offset_px(stored, "moving"),
            note=note,
        )
        with errors_within(self.fixed_landmarks):
            scores = score_landmarks(registration.transform, fixed, moving)
        return EvaluateLandmarksOutcome(scores, registration.fixed.calibrated)
