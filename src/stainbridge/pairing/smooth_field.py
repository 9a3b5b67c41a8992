"""The smoothest displacements that agree with windows, however wrong some of these are."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from stainbridge.types import Field, Plane

#: A window that misses the field by this many standard deviations counts half.
HALF_WEIGHT_DEVIATIONS = 2.0
#: Rounds of reweighting.
ROUNDS = 6
#: Keeps displacements that nothing tells near 0, in 1 / µm².
RIDGE = 1e-6
#: Local displacements up to this many times their median length are taken for noise.
NOISE_LENGTHS = 2.0
#: Windows along each side of the blocks that are left out together: neighbours overlap and err
#: alike.
BLOCK = 2
#: Ways to halve the windows; each gives two fields more.
HALVINGS = 4


@dataclass(frozen=True, eq=False)
class Roughness:
    """How much neighbouring displacements may differ in each layer of a field."""

    third_um: float
    """Standard deviation of the third differences of the smooth layer."""
    curvature_um: float
    """Standard deviation of the second differences of the local layer."""


def fit_layered_field(shifts_um: Field, deviations_um: Plane, roughness: Roughness) -> Field:
    """Return displacements (2, h, w) that are smooth but where windows agree on more.

    The first layer is smooth. The second one follows what it leaves. It is reduced by its own
    noise: what windows find by chance is everywhere about as long, tears and folds stand out.
    """
    return _fit_layers(shifts_um, deviations_um, roughness).displacement_um


def fit_field_and_error(
    shifts_um: Field, deviations_um: Plane, roughness: Roughness
) -> tuple[Field, Plane]:
    """Return what `fit_layered_field` does, and its error (h, w).

    The field is fitted again to half of the windows, and to the other half, for several ways to
    halve them. The median distance of these fields from that of all windows is its error: what
    windows err by is as good as independent from block to block. A half that holds no window near
    a place says nothing of it; the median leaves such ones out.

    McCarthy 1969, "Pseudo-replication: half samples", Review of the International Statistical
    Institute 37: 239-264.
    """
    whole = _fit_layers(shifts_um, deviations_um, roughness)
    distances = []
    for half in _draw_halves(*deviations_um.shape):
        deviations = np.where(half, deviations_um, np.inf)
        part = _fit_layers(shifts_um, deviations, roughness, whole)
        distances.append(np.hypot(*(part.displacement_um - whole.displacement_um)))
    return whole.displacement_um, np.asarray(np.median(distances, axis=0), np.float32)


@dataclass(frozen=True, eq=False)
class _Layers:
    """A field of two layers."""

    displacement_um: Field
    """Both layers together, (2, h, w)."""
    trust: tuple[Plane, Plane]
    """How much each window counts in either layer, (h, w), 1 where it fits."""


def _fit_layers(
    shifts_um: Field, deviations_um: Plane, roughness: Roughness, start: _Layers | None = None
) -> _Layers:
    """Fit both layers; with `start`, in one round that trusts each window as `start` does."""
    rounds = ROUNDS if start is None else 1
    first, second = (None, None) if start is None else start.trust
    smooth, trust = _fit_robustly(shifts_um, deviations_um, roughness.third_um, 3, first, rounds)
    local, local_trust = _fit_robustly(
        shifts_um - smooth, deviations_um, roughness.curvature_um, 2, second, rounds
    )
    displacement = smooth + _reduce_noise(local, np.isfinite(deviations_um))
    return _Layers(np.asarray(displacement, np.float32), (trust, local_trust))


def fit_smooth_field(
    shifts_um: Field, deviations_um: Plane, roughness_um: float, order: int = 2
) -> Field:
    """Return displacements (2, h, w) through `shifts_um` (2, h, w).

    `deviations_um` (h, w) are the standard deviations of the shifts, inf where there is none.
    `roughness_um` is that of the differences of neighbouring displacements, of the second or third
    `order`. Minimised is the sum of a robust distance, with the weights of Cauchy's distribution,
    and of the energy of a thin plate. Both terms are in units of their deviations.
    """
    return _fit_robustly(shifts_um, deviations_um, roughness_um, order, None, ROUNDS)[0]


def _fit_robustly(
    shifts_um: Field,
    deviations_um: Plane,
    roughness_um: float,
    order: int,
    trust: Plane | None,
    rounds: int,
) -> tuple[Field, Plane]:
    """Return the smooth displacements, and how much each window counts in the end, (h, w)."""
    height, width = deviations_um.shape
    known = np.isfinite(deviations_um).ravel()
    precision = np.zeros(height * width)
    precision[known] = 1 / deviations_um.ravel()[known] ** 2
    energy = _build_energy(height, width, order) / roughness_um**2
    measured = shifts_um.reshape(2, -1).T.astype(float)
    robust = np.ones(height * width) if trust is None else trust.ravel()
    for _ in range(rounds):
        weight = precision * robust
        system = sparse.diags_array(weight + RIDGE) + energy
        fitted = splu(system.tocsc()).solve(weight[:, None] * measured)
        squared = ((fitted - measured) ** 2).sum(1) * precision
        robust = 1 / (1 + squared / HALF_WEIGHT_DEVIATIONS**2)
    field = np.asarray(fitted.T.reshape(2, height, width), np.float32)
    return field, robust.reshape(height, width)


def _draw_halves(height: int, width: int) -> list[npt.NDArray[np.bool_]]:
    """Return which windows (h, w) are in each half: random blocks, and then all the others."""
    rng = np.random.default_rng(0)
    halves = []
    for _ in range(HALVINGS):
        blocks = rng.random((-(-height // BLOCK), -(-width // BLOCK))) < 0.5
        half = np.kron(blocks, np.ones((BLOCK, BLOCK), bool))[:height, :width]
        halves += [half, ~half]
    return halves


def _reduce_noise(field: Field, known: npt.NDArray[np.bool_]) -> Field:
    """Return displacements (2, h, w) without as much of each as is noise.

    The noise is measured where there are windows, `known` (h, w).
    """
    squared = (field**2).sum(0)
    noise = NOISE_LENGTHS**2 * np.median(squared[known]) if known.any() else 0.0
    share = np.clip(1 - noise / np.maximum(squared, np.float32(1e-12)), 0, 1)
    return np.asarray(field * share, np.float32)


def _build_energy(height: int, width: int, order: int) -> sparse.csc_array:
    """Return the matrix of a thin plate's energy on a plane (height, width), row by row."""
    total = sparse.csc_array((height * width, height * width))
    for down in range(order + 1):
        differences = sparse.csc_array(
            sparse.kron(_difference(height, down), _difference(width, order - down))
        )
        total = total + comb(order, down) * (differences.T @ differences)
    return sparse.csc_array(total)


def _difference(count: int, order: int) -> sparse.csc_array:
    """Return the matrix of the differences of an order of `count` values."""
    matrix = sparse.csc_array(sparse.eye_array(count))
    for _ in range(order):
        matrix = sparse.csc_array(matrix[1:] - matrix[:-1])
    return matrix
