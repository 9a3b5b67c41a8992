"""`stainbridge demo`: generated tissue in, every main output out, and the error against the exact
truth.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.output import Progress, progress_bar
from stainbridge.errors import RegistrationError

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.landmarks import Landmarks
    from stainbridge.imaging.pictures import Picture
    from stainbridge.metrics.landmarks import LandmarkScores
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide
    from stainbridge.types import Points

VIEW_PX, GAP_PX = 640, 12
STAINED = 0.25  # of the strongest stain
PICTURE, STAIN_PICTURE = "demo.jpg", "virtual-stain.jpg"
FIXED, MOVING = "fixed-he.ome.tiff", "moving-ki67.ome.tiff"
ANNOTATIONS, MOVED_ANNOTATIONS = "moving.geojson", "moving-on-fixed.geojson"
ANNOTATIONS_DRAWN = 5
ANNOTATION_RADIUS_UM = 120.0


def demo(
    out: Annotated[
        Path, typer.Option("--out", help="The folder for everything.", metavar="DIR")
    ] = Path("demo-out"),
    size: Annotated[
        int, typer.Option("--size", help="Side of the slides in pixels.", min=400)
    ] = 2400,
    seed: Annotated[int, typer.Option("--seed", help="Which tissue.", min=0)] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo in DIR.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the report.")
    ] = False,
) -> int:
    """Generate two stained sections, register them, measure the result against the exact truth, and
    stain virtually.

    The second section is turned, mirrored, stretched and torn. DIR receives both slides, the
    transform, the warped slide, annotations carried over and the report; and a detail of the H&E
    slide in PanCK, as a network that comes with stainbridge translates it and as it was generated.

    \b
    Example:
        stainbridge demo --out demo-out
    """
    import PIL.Image

    from stainbridge.jobs.demo_stain import virtual_stain
    from stainbridge.jobs.result_folder import result_folder
    from stainbridge.metrics.landmarks import score_landmarks
    from stainbridge.phantom.pairs.pair import generate_pair
    from stainbridge.registration.config import RegisterConfig
    from stainbridge.registration.pipeline import register_slides
    from stainbridge.registration.store import save
    from stainbridge.report.write import write_report
    from stainbridge.slides.open import open_slide

    with result_folder(out, overwrite=overwrite) as folder, progress_bar() as progress:
        pair = generate_pair(
            seed=seed, size_px=size, moving_stain="Ki67", rotation_deg=140.0, flip=True, tear=True
        )
        for name, section in ((FIXED, pair.fixed), (MOVING, pair.moving)):
            _write(section, folder / name, progress)
        with (
            open_slide(folder / FIXED, stain="HE") as fixed,
            open_slide(folder / MOVING, stain="Ki67") as moving,
        ):
            registration = register_slides(
                fixed, moving, RegisterConfig.preset("default"), progress=progress
            )
            save(registration, folder, out / FIXED, out / MOVING)
            write_report(folder / "report.html", registration, fixed, moving)
            if registration.status == "failed":
                print(f"failed: {registration.reason}")
                return RegistrationError.exit_code
            _write_annotations(folder, registration, pair.moving_landmarks)
            _write(registration.warp_slide(moving), folder / "warped.ome.tiff", progress)
            picture = three_views(registration, fixed, moving)
        progress("staining virtually", 0.0)
        stained = side_by_side(virtual_stain(pair.fixed))
        for name, shown in ((PICTURE, picture), (STAIN_PICTURE, stained)):
            PIL.Image.fromarray(shown).save(folder / name, quality=88)
    scores = score_landmarks(registration.transform, pair.fixed_landmarks, pair.moving_landmarks)
    print(_told(registration, scores, out))
    if not no_browser and _somebody_looks():
        webbrowser.open((out / "report.html").absolute().as_uri())
    return 0


def _write(slide: Slide, path: Path, progress: Progress) -> None:
    from stainbridge.slides.writing.write import write_slide

    write_slide(
        slide, path, progress=lambda done, total: progress(f"writing {path.name}", done / total)
    )


def _write_annotations(folder: Path, registration: Registration, landmarks: Landmarks) -> None:
    """Rings around some landmarks of the moving slide, and the same carried over to the fixed one."""
    from stainbridge.geometry.geojson import write_geojson

    some = landmarks.points_um[:: max(1, len(landmarks.points_um) // ANNOTATIONS_DRAWN)]
    annotations = {
        "type": "FeatureCollection",
        "features": [ring(centre, number, landmarks.frame) for number, centre in enumerate(some)],
    }
    write_geojson(folder / ANNOTATIONS, annotations)
    write_geojson(folder / MOVED_ANNOTATIONS, registration.warp_geojson(annotations))


def ring(centre_um: Points, number: int, frame: Frame) -> dict[str, Any]:
    """A round QuPath annotation about a point, (2,) in µm, of the slide with the full-resolution
    frame `frame`.
    """
    import numpy as np

    angle = np.linspace(0, 2 * np.pi, 33)
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


def three_views(registration: Registration, fixed: Slide, moving: Slide) -> Picture:
    """The fixed slide, the moving slide, and both aligned in a checkerboard, cut to their tissue:
    (H, W, 3) RGB.
    """
    from stainbridge.imaging.pictures import checkerboard, render_rgb

    on_fixed = around_tissue(fixed)
    first = render_rgb(fixed.read(on_fixed))
    second = render_rgb(moving.read(around_tissue(moving)))
    both = checkerboard(first, render_rgb(registration.warp_slide(moving).read(on_fixed)), across=6)
    return side_by_side([first, second, both])


def side_by_side(views: Sequence[Picture]) -> Picture:
    """Pictures in a row, each in the middle of the tallest one's height, on white."""
    import numpy as np

    height = max(map(len, views))
    return np.concatenate([_framed(view, height) for view in views], axis=1)[:, :-GAP_PX]


def _framed(view: Picture, height: int) -> Picture:
    """The view in the middle of `height` rows, with a gap on its right, on white."""
    import numpy as np

    above = (height - len(view)) // 2
    below = height - len(view) - above
    return np.pad(view, ((above, below), (0, GAP_PX), (0, 0)), constant_values=255)


def around_tissue(slide: Slide) -> Frame:
    """The box around what is stained, with a small margin, at `VIEW_PX` pixels at most."""
    import numpy as np

    from stainbridge.imaging.pictures import display_density

    overview = slide.frame.fit(VIEW_PX)
    stained = display_density(slide.read(overview)) > STAINED
    rows, columns = np.flatnonzero(stained.any(axis=1)), np.flatnonzero(stained.any(axis=0))
    margin = VIEW_PX // 40
    top, left = int(rows[0]) - margin, int(columns[0]) - margin
    box = overview.crop(left, top, int(columns[-1]) + margin - left, int(rows[-1]) + margin - top)
    return box.at_mpp(max(box.size_um) / VIEW_PX)


def _told(registration: Registration, scores: LandmarkScores, out: Path) -> str:
    before, after = scores.before, scores.after
    return "\n".join(
        [
            f"{registration.status} after {registration.seconds:.1f} s",
            f"error against the exact truth at {scores.n} points of the tissue:",
            f"  before  median {before.tre_um.median:8.1f} µm  max {before.tre_um.max:8.1f} µm"
            f"  median rTRE {before.rtre.median:.5f}",
            f"  after   median {after.tre_um.median:8.1f} µm  max {after.tre_um.max:8.1f} µm"
            f"  median rTRE {after.rtre.median:.5f}",
            f"written: {out}; look at {out / 'report.html'}",
        ]
    )


def _somebody_looks() -> bool:
    """Whether a person sits before a screen: a terminal, no CI, and a display where one has to be
    named.
    """
    display = (
        sys.platform in ("win32", "darwin")
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and "CI" not in os.environ and bool(display)
