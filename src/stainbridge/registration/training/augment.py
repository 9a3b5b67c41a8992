"""Random deformations and contrasts, all drawn from one generator."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.geometry.field import gradient
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.registration.training.config import AugmentConfig
from stainbridge.types import Matrix, Plane

#: The largest norm of a drawn field's derivative: below 1 it cannot fold.
STEEPEST = 0.6
#: The field's nodes: so many along the longer side, but no closer than this, as a warp knows every
#: pixel between.
NODES, SPACING_PX = 24, 10
#: Densities below this are glass and its noise, in any stain.
CLEAR = 0.15


def turned(rng: np.random.Generator, config: AugmentConfig) -> Matrix:
    """How both sections are laid: a (2, 2) rotation, mirrored or not."""
    angle = np.radians(rng.uniform(-config.turn_deg, config.turn_deg))
    flip = -1.0 if config.mirror and rng.uniform() < 0.5 else 1.0
    return _rotation(angle) @ np.diag([flip, 1.0])


def deformation(rng: np.random.Generator, config: AugmentConfig, view: Frame) -> Transform:
    """A map of the view onto itself: elastic, then affine about its middle. It cannot fold."""
    angle, shear = (
        np.radians(rng.uniform(*config.rotation_deg)),
        np.radians(rng.uniform(*config.shear_deg)),
    )
    scale = rng.uniform(*config.scale)
    side = max(view.size_um)
    linear = scale * _rotation(angle) @ np.array([[1.0, np.tan(shear)], [0.0, 1.0]])
    affine = Affine(
        about(linear, view.centre_um, rng.uniform(-config.shift, config.shift, 2) * side),
        view.space,
        view.space,
    )
    amount = config.elastic * side * rng.uniform(0.2, 1.5)
    nodes = int(rng.integers(config.elastic_nodes[0], config.elastic_nodes[1] + 1))
    drawn = rng.normal(size=(2, nodes, nodes)).astype(np.float32)
    if config.elastic == 0:
        return affine
    return Chain((_elastic(drawn, amount, view), affine))


def about(linear: Matrix, centre_um: tuple[float, float], shift_um: Matrix) -> Matrix:
    """The (3, 3) affine matrix of `linear` (2, 2) about a point, then a shift."""
    matrix, centre = np.eye(3), np.asarray(centre_um)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ centre + shift_um
    return matrix


def _elastic(drawn: Plane, amount_um: float, view: Frame) -> DisplacementField:
    """The drawn nodes smoothed to a field of root mean square `amount_um`, less where it would
    fold.
    """
    grid = view.at_mpp(max(max(view.size_um) / NODES, SPACING_PX * view.mpp[0]))
    size = (grid.width, grid.height)
    smooth = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in drawn])
    field = smooth * np.float32(
        amount_um / max(1e-6, float(np.sqrt(np.square(smooth).sum(0).mean())))
    )
    steepest = float(np.sqrt(sum(np.square(d).sum(0) for d in gradient(field, grid.mpp))).max())
    return DisplacementField(
        field * np.float32(min(1.0, STEEPEST / max(steepest, 1e-6))), grid, view.space, view.space
    )


def recoloured(rng: np.random.Generator, density: Plane, config: AugmentConfig) -> Plane:
    """What another stain or none might make of a density (H, W), 0 to 1.2: still 0 on glass.

    Random curves for some pictures, as SynthMorph has them (Hoffmann et al. 2021,
    doi:10.1109/TMI.2021.3116879); gamma, uneven staining and grain for all, where `noise` is not 0.
    """
    picture = density
    replaced = rng.uniform() < config.contrast
    curve = [0.0, CLEAR, *rng.uniform(0.1, 1.1, 4)]
    gamma, grain = np.exp(rng.normal(0, 0.25)), rng.uniform(0, config.noise)
    uneven = cv2.resize(
        rng.normal(1, 0.1, (4, 4)).astype(np.float32),
        density.shape[::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    if replaced:
        picture = np.interp(picture, [0.0, CLEAR, 0.4, 0.6, 0.8, 1.2], curve).astype(np.float32)
    if config.noise > 0:
        picture = np.clip(picture, 0, None) ** np.float32(gamma) * uneven
        picture = picture + rng.normal(0, grain, density.shape).astype(np.float32)
    return np.clip(picture, 0, 1.2).astype(np.float32)


def _rotation(angle: float) -> Matrix:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
