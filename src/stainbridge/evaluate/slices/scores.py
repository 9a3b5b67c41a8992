"""Score a transform of a case: overlap and distance of labels and masks, landmarks, folds.

The moving labels and mask are warped to the pixels of the fixed ones, by nearest neighbour.
"""

from __future__ import annotations

import numpy as np

from stainbridge.evaluate.slices.scene import SliceScene
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.imaging.image import Image
from stainbridge.metrics.fields import score_jacobian
from stainbridge.metrics.landmarks import target_registration_errors
from stainbridge.metrics.segmentations import score_masks
from stainbridge.types import Mask

#: The name of the tissue mask among the labels.
MASK = "mask"
#: Samples along the fixed slide's longer side at which folds are looked for, at most.
FOLD_GRID_PX = 1024


def score_transform(scene: SliceScene, moving_from_fixed: Transform) -> dict[str, float]:
    """Return scores by name.

    `dice L`, `hd95 L` and `surface L` are Dice, the 95th percentile of the Hausdorff distance and
    the mean surface distance of label L, or of `mask`; distances are in µm, or in pixels where the
    fixed slide has no pixel size. Labels that only one slide has are left out. A label that the
    warp loses has Dice 0 and distances as long as the fixed slide's diagonal. `tre rms px`,
    `tre median px`, the same in `um`, and `rtre median` are landmark errors on the fixed slide.
    """
    scores: dict[str, float] = {}
    if scene.labels is not None:
        fixed, moving = scene.labels
        warped = _warp_nearest(moving, moving_from_fixed, fixed.frame)
        for label in list_common_labels(scene):
            inside = fixed.pixels[0] == label
            scores.update(_score_overlap(str(label), inside, warped == label, fixed.frame))
    fixed_mask, moving_mask = scene.masks
    if fixed_mask is not None and moving_mask is not None:
        warped = _warp_nearest(moving_mask, moving_from_fixed, fixed_mask.frame)
        inside = fixed_mask.pixels[0] != 0
        scores.update(_score_overlap(MASK, inside, warped != 0, fixed_mask.frame))
    scores.update(_score_landmarks(scene, moving_from_fixed))
    return scores


def list_common_labels(scene: SliceScene) -> list[int]:
    """Return the labels that both slides have, without 0, ascending."""
    if scene.labels is None:
        return []
    fixed, moving = (set(np.unique(image.pixels).tolist()) for image in scene.labels)
    return sorted((fixed & moving) - {0})


def measure_folds(scene: SliceScene, moving_from_fixed: Transform) -> float:
    """Return the share of the fixed tissue where the Jacobian determinant is 0 or less.

    Of the whole slide where there is no mask.
    """
    mask = scene.masks[0]
    if mask is None:
        grid = scene.fixed.frame.fit(FOLD_GRID_PX)
        return score_jacobian(moving_from_fixed, grid).folded
    return score_jacobian(moving_from_fixed, mask.frame, mask.pixels[0] != 0).folded


def _warp_nearest(labels: Image, transform: Transform, frame: Frame) -> np.ndarray:
    """Return labels of the moving slide on a frame of the fixed one, (H, W); 0 outside."""
    warped, _ = warp_array(labels.pixels, labels.frame, transform, frame, interpolation="nearest")
    return np.asarray(warped[0])


def _score_overlap(name: str, fixed: Mask, warped: Mask, frame: Frame) -> dict[str, float]:
    if not warped.any():
        lost = frame.diagonal_um
        return {f"dice {name}": 0.0, f"hd95 {name}": lost, f"surface {name}": lost}
    scores = score_masks(fixed, warped, frame.mpp)
    return {
        f"dice {name}": scores.dice,
        f"hd95 {name}": scores.hd95,
        f"surface {name}": scores.mean_surface_distance,
    }


def _score_landmarks(scene: SliceScene, moving_from_fixed: Transform) -> dict[str, float]:
    if scene.landmarks is None:
        return {}
    fixed, moving = scene.landmarks
    frame = fixed.frame
    moved_um = moving_from_fixed.inverse()(moving.points_um)
    errors_um = target_registration_errors(moved_um, fixed.points_um)
    errors_px = target_registration_errors(frame.to_px(moved_um), fixed.points_px)
    scores = {
        "tre rms px": float(np.sqrt(np.mean(errors_px**2))),
        "tre median px": float(np.median(errors_px)),
        "rtre median": float(np.median(errors_um)) / frame.diagonal_um,
    }
    if frame.calibrated:
        scores["tre rms um"] = float(np.sqrt(np.mean(errors_um**2)))
        scores["tre median um"] = float(np.median(errors_um))
    return scores
