"""Random deformations and contrasts, all drawn from one generator."""

from __future__ import annotations

import cv2
import numpy as np

from stainbridge.geometry.field import gradient
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.registration.training.config import AugmentConfig
from stainbridge.types import Matrix, Plane

#: Largest norm of a drawn field's derivative: below 1 the field cannot fold.
MAX_GRADIENT_NORM = 0.6
#: Nodes of a field along the longer side.
FIELD_NODES = 24
#: Least distance of a field's nodes in pixels: a warp knows every pixel between such nodes.
MIN_NODE_SPACING_PX = 10
#: Densities below this are glass and its noise, in any stain.
GLASS_DENSITY = 0.15
#: Densities at which a contrast curve has its nodes; the first two keep glass as it is.
CURVE_DENSITIES = (0.0, GLASS_DENSITY, 0.4, 0.6, 0.8, 1.2)
#: The largest density of a sample.
MAX_DENSITY = 1.2


def draw_orientation(rng: np.random.Generator, config: AugmentConfig) -> Matrix:
    """Draw how both sections are turned: a (2, 2) rotation, mirrored or not."""
    angle = np.radians(rng.uniform(-config.turn_deg, config.turn_deg))
    flip = -1.0 if config.mirror and rng.uniform() < 0.5 else 1.0
    return _rotation(angle) @ np.diag([flip, 1.0])


def draw_deformation(rng: np.random.Generator, config: AugmentConfig, view: Frame) -> Transform:
    """Draw a map of the view onto itself that cannot fold.

    It is elastic, then affine about the view's middle.
    """
    angle = np.radians(rng.uniform(*config.rotation_deg))
    shear = np.radians(rng.uniform(*config.shear_deg))
    scale = rng.uniform(*config.scale)
    side_um = max(view.size_um)
    linear = scale * _rotation(angle) @ np.array([[1.0, np.tan(shear)], [0.0, 1.0]])
    shift_um = rng.uniform(-config.shift, config.shift, 2) * side_um
    matrix = affine_about_point(linear, view.centre_um, shift_um)
    affine = Affine(matrix, view.space, view.space)
    amount_um = config.elastic * side_um * rng.uniform(0.2, 1.5)
    nodes = int(rng.integers(config.elastic_nodes[0], config.elastic_nodes[1] + 1))
    node_values = rng.normal(size=(2, nodes, nodes)).astype(np.float32)
    if config.elastic == 0:
        return affine
    return Chain((_smooth_field(node_values, amount_um, view), affine))


def affine_about_point(linear: Matrix, centre_um: tuple[float, float], shift_um: Matrix) -> Matrix:
    """Return the (3, 3) affine matrix of `linear` (2, 2) about a point, then a shift (2,)."""
    matrix = np.eye(3)
    centre = np.asarray(centre_um)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ centre + shift_um
    return matrix


def _smooth_field(node_values: Plane, amount_um: float, view: Frame) -> DisplacementField:
    """Interpolate nodes (2, n, n) to a field of root mean square `amount_um`.

    The field is weaker where it would fold otherwise.
    """
    spacing_um = max(max(view.size_um) / FIELD_NODES, MIN_NODE_SPACING_PX * view.mpp[0])
    grid = view.at_mpp(spacing_um)
    size = (grid.width, grid.height)
    smooth = np.stack(
        [cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in node_values]
    )
    field = smooth * np.float32(
        amount_um / max(1e-6, float(np.sqrt(np.square(smooth).sum(0).mean())))
    )
    derivatives = gradient(field, grid.mpp)
    steepest = float(np.sqrt(sum(np.square(d).sum(0) for d in derivatives)).max())
    factor = np.float32(min(1.0, MAX_GRADIENT_NORM / max(steepest, 1e-6)))
    return DisplacementField(field * factor, grid, view.space, view.space)


def change_contrast(rng: np.random.Generator, density: Plane, config: AugmentConfig) -> Plane:
    """Draw another contrast of a density (H, W) in 0 … 1.2; glass stays 0.

    Some pictures get a random curve, as in SynthMorph (Hoffmann et al. 2021,
    doi:10.1109/TMI.2021.3116879). All get gamma, uneven staining and grain, unless `noise` is 0.
    """
    picture = density
    has_curve = rng.uniform() < config.contrast
    curve = [0.0, GLASS_DENSITY, *rng.uniform(0.1, 1.1, 4)]
    gamma = np.exp(rng.normal(0, 0.25))
    grain = rng.uniform(0, config.noise)
    unevenness = cv2.resize(
        rng.normal(1, 0.1, (4, 4)).astype(np.float32),
        density.shape[::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    if has_curve:
        picture = np.interp(picture, CURVE_DENSITIES, curve).astype(np.float32)
    if config.noise > 0:
        picture = np.clip(picture, 0, None) ** np.float32(gamma) * unevenness
        picture = picture + rng.normal(0, grain, density.shape).astype(np.float32)
    return np.clip(picture, 0, MAX_DENSITY).astype(np.float32)


def _rotation(angle: float) -> Matrix:
    cos = np.cos(angle)
    sin = np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
