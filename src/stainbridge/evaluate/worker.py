"""The process of one run: `python -m stainbridge.evaluate.worker FOLDER`, where the runner left
`job.pkl`.

`row.json` is written at once, again with the errors as unregistered before the method is loaded,
and at the end: what kills the process in between leaves the last one.
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
from stainbridge.evaluate.row import STARTED_FILE, Run, Row
from stainbridge.evaluate.methods.alignment import Align, Alignment, fail
from stainbridge.evaluate.methods.registry import find_method
from stainbridge.evaluate.peers.exchange import read_clocks, read_peak_mb
from stainbridge.evaluate.thumbnails import write_overlay
from stainbridge.evaluate.starts import draw_hard_start
from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import jacobian_scores
from stainbridge.metrics.landmarks import Errors, robustness, spread, target_registration_errors
from stainbridge.slides.slide import Slide
from stainbridge.types import Points
from stainbridge.whole import whole_file

FOLDS_PX = 512


@dataclass(frozen=True, eq=False)
class Scene:
    """Opened slides and their landmarks, as the start has them; `to_warp` are (N, 2) moving points
    to carry over.
    """

    fixed: Slide
    moving: Slide
    landmarks: tuple[Landmarks, Landmarks] | None
    to_warp: Points

    @property
    def unregistered(self) -> Affine:
        """Corner on corner."""
        return place_unregistered(self.fixed.frame.space, self.moving.frame.space)


def main(folder: Path) -> None:
    """Run the job of `folder` and leave its row, its warped points and its pictures there."""
    job: Run = pickle.loads((folder / "job.pkl").read_bytes())
    row = Row(*job.key, status="crashed", cover=job.case.cover)
    _write(folder, row)
    with ExitStack() as opened:
        try:
            scene = _scene(job, opened)
        except InputError as error:
            return _write(folder, replace(row, status="unreadable", reason=str(error)))
        row = _with_scene(row, scene, job.root)
        _write(folder, row)
        write_overlay(folder / "before.jpg", scene.fixed, scene.moving, scene.unregistered)
        align = find_method(job.method).load()
        (folder / STARTED_FILE).touch()
        alignment = _measured(align, scene)
        row = _with_alignment(row, alignment)
        if alignment.transform is not None:
            row = _scored(row, scene, alignment.transform)
            write_overlay(folder / "after.jpg", scene.fixed, scene.moving, alignment.transform)
            _write_points(folder / "warped.csv", scene, alignment.transform)
        return _write(folder, row)


def _scene(job: Run, opened: ExitStack) -> Scene:
    fixed, moving = (
        opened.enter_context(job.case.open_fixed()),
        opened.enter_context(job.case.open_moving()),
    )
    marks = job.case.landmarks
    to_warp = marks[1] if marks is not None else job.case.moving_only
    to_warp = np.zeros((0, 2)) if to_warp is None else to_warp
    if job.start.kind == "hard":
        moving, to_warp, kept = draw_hard_start(
            moving, to_warp, job.start, f"{job.data_set}/{job.case.id}"
        )
        if not kept.any():
            raise InputError(
                "no landmark is left on the cropped slide", where=f"{job.case.id}, {job.start.name}"
            )
        marks = None if marks is None else (marks[0][kept], to_warp)
    if marks is None:
        return Scene(fixed, moving, None, to_warp)
    labels = tuple(map(str, range(len(to_warp))))
    pair = Landmarks(marks[0], labels, fixed.frame), Landmarks(marks[1], labels, moving.frame)
    return Scene(fixed, moving, pair, to_warp)


def _measured(align: Align, scene: Scene) -> Alignment:
    """What the method found, with its time and memory where it did not measure them itself."""
    began = read_clocks()
    try:
        alignment = align(scene.fixed, scene.moving)
    except Exception as error:  # a method may raise whatever it likes: that is its result
        lines = str(error).strip().splitlines()
        alignment = fail(f"{type(error).__name__}: {lines[-1] if lines else ''}")
    if alignment.seconds is not None:
        return alignment
    seconds, cpu_s = np.subtract(read_clocks(), began).tolist()
    return replace(alignment, seconds=seconds, cpu_s=cpu_s, peak_mb=read_peak_mb())


def _with_scene(row: Row, scene: Scene, root: Path | None) -> Row:
    fixed, moving = _place(scene.fixed.info.path, root), scene.moving.info.path
    if row.kind == "given":
        moving = _place(moving, root)
    frame = scene.fixed.frame
    diagonal_um = frame.diagonal_um if frame.calibrated else None
    row = replace(
        row,
        fixed=fixed,
        moving=moving,
        fixed_size=(frame.width, frame.height),
        diagonal_um=diagonal_um,
    )
    if scene.landmarks is None:
        return row
    before = _rtre(scene.unregistered, *scene.landmarks)
    return replace(row, landmarks=len(before), before=spread(before))


def _place(path: str, root: Path | None) -> str:
    """Where a slide is in its data set's folder."""
    return path if root is None or not path else Path(os.path.relpath(path, root)).as_posix()


def _with_alignment(row: Row, alignment: Alignment) -> Row:
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


def _scored(row: Row, scene: Scene, transform: Transform) -> Row:
    folded = jacobian_scores(transform, scene.fixed.frame.fit(FOLDS_PX)).folded
    if scene.landmarks is None:
        return replace(row, folded=folded)
    after = _rtre(transform, *scene.landmarks)
    if not np.isfinite(after).all():
        return replace(
            row, status="failed", reason="the transform takes landmarks to nowhere", folded=folded
        )
    before = _rtre(scene.unregistered, *scene.landmarks)
    tre_px = float(np.median(after)) * float(np.hypot(*row.fixed_size))
    return replace(
        row, after=spread(after), robustness=robustness(before, after), tre_px=tre_px, folded=folded
    )


def _rtre(moving_from_fixed: Transform, fixed: Landmarks, moving: Landmarks) -> Errors:
    """Errors of the moving landmarks carried to the fixed slide, (N,), over its diagonal."""
    moved_um = moving_from_fixed.inverse()(moving.points_um)
    return np.asarray(
        target_registration_errors(moved_um, fixed.points_um) / fixed.frame.diagonal_um
    )


def _write_points(path: Path, scene: Scene, transform: Transform) -> None:
    """The moving points on the fixed slide, as ANHIR takes them in."""
    moved = scene.fixed.frame.to_px(transform.inverse()(scene.moving.frame.to_um(scene.to_warp)))
    write_points_csv(path, moved, tuple(map(str, range(len(moved)))))


def _write(folder: Path, row: Row) -> None:
    with whole_file(folder / "row.json") as temporary:
        temporary.write_text(json.dumps(row.to_dict()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
