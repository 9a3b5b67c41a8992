"""Generate two sections, register them, and measure the result against the exact truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.jobs.files.outputs import RESULT_FILES
from stainbridge.jobs.files.result_folder import result_folder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.landmarks import Landmarks
    from stainbridge.imaging.pictures import Picture
    from stainbridge.metrics.landmarks import LandmarkScores
    from stainbridge.phantom.pairs.pair import PhantomPair
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide
    from stainbridge.types import Points

RECORD, TRANSFORM, REPORT, WARPED = RESULT_FILES
FIXED = "fixed-he.ome.tiff"
MOVING = "moving-ki67.ome.tiff"
ANNOTATIONS = "moving.geojson"
WARPED_ANNOTATIONS = "moving-on-fixed.geojson"
VIEWS_PICTURE = "demo.jpg"
STAIN_PICTURE = "virtual-stain.jpg"
OUTPUTS = (
    *RESULT_FILES,
    FIXED,
    MOVING,
    ANNOTATIONS,
    WARPED_ANNOTATIONS,
    VIEWS_PICTURE,
    STAIN_PICTURE,
)
#: Quality of the JPEG pictures: no visible loss on a page.
PICTURE_QUALITY = 88
#: Rotation of the moving section in degrees: far from where a local search would find it.
ROTATION_DEG = 140.0
#: About how many annotations are drawn.
ANNOTATIONS_DRAWN = 5
#: Their radius in µm: a region that is seen on the whole slide.
ANNOTATION_RADIUS_UM = 120.0
#: Corners of an annotation's outline.
ANNOTATION_CORNERS = 32


@dataclass(frozen=True)
class DemoOutcome:
    """What was written, and how good the registration is."""

    folder: Path
    """The folder of everything."""
    report: Path
    """The quality report."""
    status: str
    """"ok", "fallback" or "failed"."""
    reason: str
    """Why the status is not "ok"; empty otherwise."""
    registration_seconds: float
    """How long the registration took."""
    seconds: float
    """How long the job took."""
    scores: LandmarkScores | None
    """Errors against the exact truth, before and after; None when the registration failed."""


@dataclass(frozen=True, kw_only=True)
class DemoJob:
    """The demonstration as one request: generated tissue in, every main output out.

    The second section is rotated, mirrored, stretched and torn. Files appear in `out` when all are
    complete; an interrupted job leaves nothing.
    """

    out: Path = Path("demo-out")
    """The folder for everything; its parents are made."""
    size_px: Annotated[int, Within(1, 32768)] = 2400
    """Side of the slides, in pixels."""
    seed: Seed = 1
    """Which tissue."""
    overwrite: bool = False
    """Replace an earlier demo in `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> DemoOutcome:
        """Run the demonstration.

        Raises `InputError` for an output that must not be written.
        """
        from stainbridge.metrics.landmarks import score_landmarks
        from stainbridge.phantom.pairs.pair import generate_pair

        began = time.perf_counter()
        with result_folder(self.out, overwrite=self.overwrite, outputs=OUTPUTS) as folder:
            pair = generate_pair(
                seed=self.seed,
                size_px=self.size_px,
                moving_stain="Ki67",
                rotation_deg=ROTATION_DEG,
                flip=True,
                tear=True,
            )
            registration = self._register(pair, folder, progress)
            if registration.status != "failed":
                _draw_stain_picture(pair, folder, progress)
        scores = None
        if registration.status != "failed":
            scores = score_landmarks(
                registration.transform, pair.fixed_landmarks, pair.moving_landmarks
            )
        return DemoOutcome(
            folder=self.out,
            report=self.out / REPORT,
            status=registration.status,
            reason=registration.reason,
            registration_seconds=registration.seconds,
            seconds=time.perf_counter() - began,
            scores=scores,
        )

    def _register(self, pair: PhantomPair, folder: Path, progress: Progress) -> Registration:
        """Write the pair's slides, register them, and write what comes of it."""
        from stainbridge.registration.config import RegisterConfig
        from stainbridge.registration.pipeline import register_slides
        from stainbridge.report.write import write_report
        from stainbridge.slides.open import open_slide

        _write(pair.fixed, folder / FIXED, progress)
        _write(pair.moving, folder / MOVING, progress)
        with (
            open_slide(folder / FIXED, stain="HE") as fixed,
            open_slide(folder / MOVING, stain="Ki67") as moving,
        ):
            config = RegisterConfig.preset("default")
            registration = register_slides(fixed, moving, config, progress=progress)
            registration.save(folder, self.out / FIXED, self.out / MOVING)
            write_report(folder / REPORT, registration, fixed, moving)
            if registration.status != "failed":
                _write_annotations(folder, registration, pair.moving_landmarks)
                _write(registration.warp_slide(moving), folder / WARPED, progress)
                _draw_views(registration, fixed, moving, folder)
        return registration


def _write(slide: Slide, path: Path, progress: Progress) -> None:
    from stainbridge.slides.writing.write import write_slide

    stage = f"writing {path.name}"
    write_slide(slide, path, progress=lambda done, total: progress(stage, done / total))


def _draw_views(registration: Registration, fixed: Slide, moving: Slide, folder: Path) -> None:
    from stainbridge.jobs.demo_views import draw_three_views

    _save_picture(draw_three_views(registration, fixed, moving), folder / VIEWS_PICTURE)


def _draw_stain_picture(pair: PhantomPair, folder: Path, progress: Progress) -> None:
    from stainbridge.jobs.demo_stain import draw_virtual_stain
    from stainbridge.jobs.demo_views import join_side_by_side

    progress("staining virtually", 0.0)
    views = draw_virtual_stain(pair.fixed)
    _save_picture(join_side_by_side(views), folder / STAIN_PICTURE)


def _save_picture(picture: Picture, path: Path) -> None:
    import PIL.Image

    PIL.Image.fromarray(picture).save(path, quality=PICTURE_QUALITY)


def _write_annotations(folder: Path, registration: Registration, landmarks: Landmarks) -> None:
    """Write circles around some landmarks of the moving slide, and the same on the fixed slide."""
    from stainbridge.geometry.geojson import write_geojson

    step = max(1, len(landmarks.points_um) // ANNOTATIONS_DRAWN)
    features = [
        circular_annotation(centre, number, landmarks.frame)
        for number, centre in enumerate(landmarks.points_um[::step])
    ]
    annotations = {"type": "FeatureCollection", "features": features}
    write_geojson(folder / ANNOTATIONS, annotations)
    write_geojson(folder / WARPED_ANNOTATIONS, registration.warp_geojson(annotations))


def circular_annotation(centre_um: Points, number: int, frame: Frame) -> dict[str, Any]:
    """Return a round QuPath annotation about a point, (2,) in µm, of a slide.

    `frame` is the slide's full-resolution frame.
    """
    import numpy as np

    angle = np.linspace(0, 2 * np.pi, ANNOTATION_CORNERS + 1)
    points = frame.to_px(
        centre_um + ANNOTATION_RADIUS_UM * np.column_stack([np.cos(angle), np.sin(angle)])
    )
    outline = points.round(2).tolist()
    return {
        "type": "Feature",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "geometry": {"type": "Polygon", "coordinates": [[*outline[:-1], outline[0]]]},
        "properties": {
            "objectType": "annotation",
            "name": f"region {number}",
            "classification": {"name": "Tumor"},
        },
    }
