"""Register the two slides of a case, and make of the result whatever the manifest asks for."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.cohort.case import CohortCase
from stainbridge.cohort.options import CaseOptions
from stainbridge.cohort.task import TaskResult
from stainbridge.jobs.choices import SideChoice
from stainbridge.jobs.register import RegisterJob
from stainbridge.jobs.register_outcome import RegisterOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from stainbridge.registration.result import Registration

#: A picture of both slides in a case's folder, and the pixels of its longer side.
PICTURE = "overlay.jpg"
PICTURE_PX = 480
PICTURE_QUALITY = 80
#: Files of annotations that were carried over, and the slide that they lie on.
FIXED_ON_MOVING: tuple[str, SideChoice] = ("fixed-on-moving.geojson", "moving")
MOVING_ON_FIXED: tuple[str, SideChoice] = ("moving-on-fixed.geojson", "fixed")


@dataclass(frozen=True)
class RegisterTask:
    """The registration of one case."""

    case: CohortCase
    """The two slides; its paths are absolute."""
    options: CaseOptions
    """How to register them."""

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    @property
    def needs(self) -> tuple[str, ...]:
        """A case waits for no other task."""
        return ()

    def make_job(self, out: Path) -> RegisterJob:
        """Return the registration as the request that `stainbridge register` would make."""
        case = self.case
        options = self.options
        return RegisterJob(
            fixed=case.fixed,
            moving=case.moving,
            out=out,
            preset=options.preset,
            pipeline=options.pipeline,
            device=options.device,
            threads=options.threads,
            seed=options.seed,
            init=case.init,
            fixed_mask=case.fixed_mask,
            moving_mask=case.moving_mask,
            allow_flip=options.allow_flip,
            max_rotation_deg=options.max_rotation_deg,
            fixed_mpp=case.fixed_mpp,
            moving_mpp=case.moving_mpp,
            write_slide=case.write_slide or options.write_slides,
            report=options.report,
            reproducible=True,
        )

    def make_key(self) -> str:
        """Return a hash of the case, the content of its files, the settings and the version."""
        from stainbridge.fingerprint import fingerprint

        files = self.case.list_files()
        if self.options.pipeline is not None:
            files["pipeline"] = self.options.pipeline
        return hash_facts(
            {
                "case": self.case.describe(),
                "options": asdict(self.options),
                "files": {role: fingerprint(path) for role, path in files.items()},
            }
        )

    def run(self, folder: Path) -> TaskResult:
        """Register the slides into `folder`; carry annotations over and measure landmarks.

        Raises `InputError` for files that cannot be used.
        """
        notes: list[str] = []
        outcome = self.make_job(folder).run(note=notes.append)
        facts = describe_outcome(outcome)
        if outcome.status != "failed":
            registration = replace(
                outcome.load(), fixed_source=self.case.fixed, moving_source=self.case.moving
            )
            write_picture(registration, folder / PICTURE)
            carry_annotations(
                folder, self.case.fixed_annotations, self.case.moving_annotations, notes.append
            )
            facts |= measure_landmarks(
                folder, self.case.fixed_landmarks, self.case.moving_landmarks
            )
        status = outcome.status
        return TaskResult(status, outcome.reason, facts, tuple(notes))  # type: ignore[arg-type]


def carry_annotations(
    folder: Path, fixed: Path | None, moving: Path | None, note: Callable[[str], None]
) -> None:
    """Write the annotations of either slide where they lie on the other one."""
    from stainbridge.jobs.warp_geojson import WarpGeojsonJob

    for source, (name, side) in ((fixed, FIXED_ON_MOVING), (moving, MOVING_ON_FIXED)):
        if source is not None:
            job = WarpGeojsonJob(result=folder, source=source, out=folder / name, to=side)
            job.run(note=note)


def measure_landmarks(result: Path, fixed: Path | None, moving: Path | None) -> dict[str, Any]:
    """Return the landmarks' errors by their column of the table, where there are landmarks."""
    from stainbridge.jobs.evaluate_landmarks import EvaluateLandmarksJob

    if fixed is None or moving is None:
        return {}
    job = EvaluateLandmarksJob(fixed_landmarks=fixed, moving_landmarks=moving, result=result)
    after = job.run().scores.after.rtre
    return {"landmarks_rtre": after.median, "landmarks_max_rtre": after.max}


def describe_outcome(outcome: RegisterOutcome) -> dict[str, Any]:
    """Return the numbers of a registration by their column of the table, as JSON values."""
    from stainbridge.json_values import to_json_values

    record = outcome.record
    facts: dict[str, Any] = to_json_values(
        {
            "predicted_rtre": outcome.predicted_rtre,
            "bound_rtre": outcome.bound_rtre,
            "predicted_um": outcome.predicted_um,
            "rotation_deg": record["rotation_deg"],
            "flip": record["flip"],
            "scale": record["scale"],
        }
    )
    return facts


def write_picture(registration: Registration, path: Path) -> None:
    """Write a small picture of both slides on top of each other."""
    import PIL.Image

    picture = PIL.Image.fromarray(registration.overlay(PICTURE_PX))
    picture.save(path, "JPEG", quality=PICTURE_QUALITY, optimize=True)


def hash_facts(facts: dict[str, Any]) -> str:
    """Return a hash of JSON values and of this version of the package."""
    from stainbridge.json_values import format_json

    whole = {"version": version("stainbridge"), **facts}
    return hashlib.sha256(format_json(whole).encode()).hexdigest()
