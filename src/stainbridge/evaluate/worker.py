"""Execute one run: `python -m stainbridge.evaluate.worker FOLDER`, where the runner left it.

`row.json` is written at once, again with the errors as unregistered before the method is loaded,
and at the end. So a process that is killed in between leaves the last one.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Align, Alignment, fail
from stainbridge.evaluate.methods.registry import find_method
from stainbridge.evaluate.peers.exchange import read_clocks, read_peak_mb
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.run import RUN_FILE, STARTED_FILE, Run
from stainbridge.evaluate.starts import draw_hard_start
from stainbridge.evaluate.thumbnails import write_overlay
from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import score_jacobian
from stainbridge.metrics.landmarks import (
    Errors,
    robustness,
    summarise_errors,
    target_registration_errors,
)
from stainbridge.processes import end_group_with_input, end_with_parent
from stainbridge.slides.slide import Slide
from stainbridge.types import Points
from stainbridge.whole import whole_file

#: Samples along the fixed slide's longer side at which folds are looked for.
FOLD_GRID_PX = 512


@dataclass(frozen=True, eq=False)
class Scene:
    """The opened slides and their landmarks, as the start has them."""

    fixed: Slide
    """The fixed slide."""
    moving: Slide
    """The moving slide, disturbed by a hard start."""
    landmarks: tuple[Landmarks, Landmarks] | None
    """Corresponding landmarks of both; None where those of the fixed slide are not known."""
    points_to_warp: Points
    """(N, 2) points of the moving slide that are warped onto the fixed one, in its pixels."""

    @property
    def unregistered(self) -> Affine:
        """The slides corner on corner."""
        return place_unregistered(self.fixed.frame.space, self.moving.frame.space)


def main(folder: Path) -> None:
    """Execute the run of `folder` and leave its row, its warped points and its pictures there."""
    run: Run = pickle.loads((folder / RUN_FILE).read_bytes())
    row = Row(*run.key, status="crashed", cover=run.case.cover)
    _write_row(folder, row)
    with ExitStack() as opened:
        try:
            scene = _open_scene(run, opened)
        except InputError as error:
            return _write_row(folder, replace(row, status="unreadable", reason=str(error)))
        row = _add_scene(row, scene, run.root)
        _write_row(folder, row)
        write_overlay(folder / "before.jpg", scene.fixed, scene.moving, scene.unregistered)
        align = find_method(run.method).load()
        (folder / STARTED_FILE).touch()
        alignment = _align_with_clock(align, scene)
        row = _add_alignment(row, alignment)
        if alignment.transform is not None:
            row = _add_errors(row, scene, alignment.transform)
            write_overlay(folder / "after.jpg", scene.fixed, scene.moving, alignment.transform)
            _write_warped_points(folder / "warped.csv", scene, alignment.transform)
        return _write_row(folder, row)


def _open_scene(run: Run, opened: ExitStack) -> Scene:
    fixed = opened.enter_context(run.case.open_fixed())
    moving: Slide = opened.enter_context(run.case.open_moving())
    landmarks_px = run.case.landmarks
    points_px = landmarks_px[1] if landmarks_px is not None else run.case.moving_only
    points_px = np.zeros((0, 2)) if points_px is None else points_px
    if run.start.kind == "hard":
        case = f"{run.data_set}/{run.case.id}"
        moving, points_px, inside = draw_hard_start(moving, points_px, run.start, case)
        if not inside.any():
            raise InputError(
                "no landmark is left on the cropped slide", where=f"{run.case.id}, {run.start.name}"
            )
        landmarks_px = None if landmarks_px is None else (landmarks_px[0][inside], points_px)
    if landmarks_px is None:
        return Scene(fixed, moving, None, points_px)
    labels = tuple(map(str, range(len(points_px))))
    fixed_landmarks = Landmarks(landmarks_px[0], labels, fixed.frame)
    moving_landmarks = Landmarks(landmarks_px[1], labels, moving.frame)
    return Scene(fixed, moving, (fixed_landmarks, moving_landmarks), points_px)


def _align_with_clock(align: Align, scene: Scene) -> Alignment:
    """Run the method; add its time and memory where it did not measure them itself."""
    before = read_clocks()
    try:
        alignment = align(scene.fixed, scene.moving)
    except Exception as error:  # a method may raise anything: that is its result
        lines = str(error).strip().splitlines()
        alignment = fail(f"{type(error).__name__}: {lines[-1] if lines else ''}")
    if alignment.seconds is not None:
        return alignment
    seconds, cpu_s = np.subtract(read_clocks(), before).tolist()
    return replace(alignment, seconds=seconds, cpu_s=cpu_s, peak_mb=read_peak_mb())


def _add_scene(row: Row, scene: Scene, root: Path | None) -> Row:
    moving = scene.moving.info.path
    frame = scene.fixed.frame
    row = replace(
        row,
        fixed=_path_in_data_set(scene.fixed.info.path, root),
        moving=_path_in_data_set(moving, root) if row.kind == "given" else moving,
        fixed_size=(frame.width, frame.height),
        diagonal_um=frame.diagonal_um if frame.calibrated else None,
    )
    if scene.landmarks is None:
        return row
    before = _relative_errors(scene.unregistered, *scene.landmarks)
    return replace(row, landmarks=len(before), before=summarise_errors(before))


def _path_in_data_set(path: str, root: Path | None) -> str:
    return path if root is None or not path else Path(os.path.relpath(path, root)).as_posix()


def _add_alignment(row: Row, alignment: Alignment) -> Row:
    predicted = alignment.predicted_rtre
    return replace(
        row,
        status=alignment.status,
        reason=alignment.reason,
        predicted_rtre=None if predicted is None or not np.isfinite(predicted) else predicted,
        seconds=alignment.seconds,
        cpu_s=alignment.cpu_s,
        peak_mb=alignment.peak_mb,
    )


def _add_errors(row: Row, scene: Scene, transform: Transform) -> Row:
    folded = score_jacobian(transform, scene.fixed.frame.fit(FOLD_GRID_PX)).folded
    if scene.landmarks is None:
        return replace(row, folded=folded)
    after = _relative_errors(transform, *scene.landmarks)
    if not np.isfinite(after).all():
        reason = "the transform takes landmarks to nowhere"
        return replace(row, status="failed", reason=reason, folded=folded)
    before = _relative_errors(scene.unregistered, *scene.landmarks)
    return replace(
        row,
        after=summarise_errors(after),
        robustness=robustness(before, after),
        tre_px=float(np.median(after)) * float(np.hypot(*row.fixed_size)),
        moving_tre_px=_moving_error_px(transform, *scene.landmarks),
        folded=folded,
    )


def _relative_errors(moving_from_fixed: Transform, fixed: Landmarks, moving: Landmarks) -> Errors:
    """Return the rTRE of each landmark, (N,): its error on the fixed slide ÷ its diagonal."""
    warped_um = moving_from_fixed.inverse()(moving.points_um)
    return np.asarray(
        target_registration_errors(warped_um, fixed.points_um) / fixed.frame.diagonal_um
    )


def _moving_error_px(moving_from_fixed: Transform, fixed: Landmarks, moving: Landmarks) -> float:
    """Return the median error on the moving slide, in its full-resolution pixels."""
    warped_px = moving.frame.to_px(moving_from_fixed(fixed.points_um))
    return float(np.median(target_registration_errors(warped_px, moving.points_px)))


def _write_warped_points(path: Path, scene: Scene, transform: Transform) -> None:
    """Write the moving points as they lie on the fixed slide, for ANHIR's submission."""
    moving_um = scene.moving.frame.to_um(scene.points_to_warp)
    warped_px = scene.fixed.frame.to_px(transform.inverse()(moving_um))
    write_points_csv(path, warped_px, tuple(map(str, range(len(warped_px)))))


def _write_row(folder: Path, row: Row) -> None:
    with whole_file(folder / "row.json") as temporary:
        temporary.write_text(json.dumps(row.to_dict()))


if __name__ == "__main__":
    end_with_parent(os.getppid())
    end_group_with_input()
    main(Path(sys.argv[1]))
