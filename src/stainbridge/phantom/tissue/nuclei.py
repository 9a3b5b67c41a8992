"""Nuclei: where they are, of which class, and their shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import Integers, derive_key, hash_uniform
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.phantom.tissue.organs import Organ
from stainbridge.phantom.tissue.zones import TissueConfig, interpolate_plane
from stainbridge.types import Mask, Plane, Points

LATTICE_UM = 4.6
#: How far from its lattice square a nucleus can reach.
REACH_UM = 22.0


@dataclass(frozen=True)
class NucleusClass:
    """`long_um` and `short_um`: half axes; `variation` of size; `density` of chromatin; `apart_um`
    to the next one.
    """

    name: str
    long_um: float
    short_um: float
    variation: float
    density: float
    apart_um: float
    vesicular: float = 0.3


NUCLEUS_CLASSES = (
    NucleusClass("epithelium", 4.4, 2.7, 0.12, 0.80, 4.9, 0.28),
    NucleusClass("tumour", 4.9, 3.6, 0.26, 0.86, 6.2, 0.34),
    NucleusClass("duct", 3.9, 2.9, 0.12, 0.82, 5.4, 0.3),
    NucleusClass("spindle", 5.2, 1.2, 0.28, 0.72, 6.5, 0.1),
    NucleusClass("muscle", 8.0, 1.3, 0.25, 0.66, 9.0, 0.1),
    NucleusClass("lymphocyte", 2.9, 2.7, 0.10, 1.0, 5.0, 0.1),
    NucleusClass("centre", 3.9, 3.5, 0.15, 0.72, 6.8, 0.4),
    NucleusClass("endothelium", 4.6, 1.1, 0.2, 0.85, 7.0, 0.1),
    NucleusClass("fat", 4.2, 1.1, 0.2, 0.9, 8.0, 0.1),
)
EPITHELIUM, TUMOUR, DUCT, SPINDLE, MUSCLE, LYMPHOCYTE, CENTRE, ENDOTHELIUM, FAT = range(
    len(NUCLEUS_CLASSES)
)
NONE = -1
#: Between a glomerulus and its capsule.
GLOMERULAR_GAP_UM = 7.0


@dataclass(frozen=True, eq=False)
class Nuclei:
    """N nuclei: places (N, 2) µm, half axes (N, 2) µm, direction of the long axis (N,), class
    index, and draws (N,).
    """

    centre_um: Points
    axes_um: Points
    angle: npt.NDArray[np.float64]
    kind: Integers
    density: Plane
    lot: Plane
    shape: Plane


def scatter_nuclei(config: TissueConfig, coarse: Anatomy, window: Frame, section: int) -> Nuclei:
    """The nuclei of section number `section` that can touch `window`; `coarse` must reach 25 µm
    beyond it.
    """
    low = np.floor((np.array(window.origin_um) - REACH_UM) / LATTICE_UM).astype(int)
    high = np.ceil((np.array(window.origin_um) + window.size_um + REACH_UM) / LATTICE_UM).astype(int)
    column: Integers = np.arange(low[0], high[0])[None, :]
    row: Integers = np.arange(low[1], high[1])[:, None]

    def draw(name: str) -> Plane:
        return hash_uniform(column, row, derive_key(config.seed, "nuclei", section, name))

    place = np.stack(
        [(column + 0.1 + 0.8 * draw("x")) * LATTICE_UM, (row + 0.1 + 0.8 * draw("y")) * LATTICE_UM]
    )
    probe = _Probe(coarse, place)
    kind, target, sdf, angle_from = _classes(config.parts, probe, draw)
    normal = probe.slope(sdf, angle_from)
    place = place + normal * target
    keep = (kind != NONE) & _spaced(place, kind, draw("rank"))
    chosen = kind[keep]
    jitter = (draw("angle") - 0.5)[keep]
    across = np.arctan2(normal[1], normal[0])[keep]
    along = across + np.pi / 2
    spread = np.select(
        [chosen == EPITHELIUM, chosen == TUMOUR, chosen == LYMPHOCYTE], [0.5, 2.2, 3.1], 0.35
    )
    angle = np.where((chosen == EPITHELIUM) | (chosen == TUMOUR), across, along) + spread * jitter
    table = np.array([(c.long_um, c.short_um, c.variation, c.density) for c in NUCLEUS_CLASSES])[chosen]
    size = np.exp(table[:, 2] * 1.7 * (draw("size")[keep] - 0.5) * 2)
    squash = np.exp(0.25 * (draw("squash")[keep] - 0.5))
    axes = np.stack([table[:, 0] * size * squash, table[:, 1] * size / squash], axis=1)
    density = table[:, 3] * (0.80 + 0.36 * draw("chromatin")[keep])
    centre = np.stack([place[0][keep], place[1][keep]], axis=1)
    return Nuclei(
        centre,
        axes,
        angle,
        chosen,
        np.asarray(density, np.float32),
        draw("lot")[keep],
        draw("shape")[keep],
    )


class _Probe:
    """Anatomy planes sampled at candidate places, (2, rows, columns) µm."""

    def __init__(self, coarse: Anatomy, place: npt.NDArray[np.float64]) -> None:
        self.coarse = coarse
        (left, top), (width, height) = coarse.frame.origin_um, coarse.frame.mpp
        self._x = np.asarray((place[0] - left) / width - 0.5, np.float32)
        self._y = np.asarray((place[1] - top) / height - 0.5, np.float32)

    def __call__(self, plane: Plane) -> Plane:
        return interpolate_plane(plane, self._x, self._y)

    def slope(self, planes: tuple[Plane, ...], choice: Integers) -> npt.NDArray[np.float32]:
        """Unit gradient, (2, rows, columns), of the plane that `choice` picks at each place."""
        gradient = np.zeros((2, *self._x.shape), np.float32)
        for number, plane in enumerate(planes):
            here = choice == number
            if here.any():
                around = [
                    interpolate_plane(plane, self._x + dx, self._y + dy)
                    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
                ]
                gradient[0][here] = (around[0] - around[1])[here]
                gradient[1][here] = (around[2] - around[3])[here]
        return np.asarray(gradient / np.maximum(np.hypot(gradient[0], gradient[1]), 1e-6))


def _classes(
    organ: Organ, probe: _Probe, draw: Callable[[str], Plane]
) -> tuple[Integers, Plane, tuple[Plane, ...], Integers]:
    """Class of each candidate (or none), the step along the gradient it settles by, and which
    plane's gradient.
    """
    a = probe.coarse
    tissue, gland, lining = probe(a.zones.tissue_depth_um), probe(a.gland_um), probe(a.lining_um)
    necrosis = probe(a.zones.necrosis_depth_um)
    lesion, muscle, fat = probe(a.zones.lesion_depth_um), probe(a.zones.muscle_depth_um), probe(a.zones.fat_depth_um)
    duct, vessel, follicle = probe(a.duct_um), probe(a.vessel_um), probe(a.follicle_um)
    lumen = vessel + probe(a.vessel_wall_um)
    capillary, border = probe(a.capillary_um), probe(a.fat_border_um)
    sieve, inflamed, tumour = probe(a.sieve), probe(a.zones.inflamed), probe(a.tumour) > 0.5
    chance, depth = draw("chance"), draw("depth")
    planes = (
        a.fibre,
        a.gland_um,
        a.duct_um,
        a.vessel_um,
        a.capillary_um,
        a.fat_border_um,
        a.follicle_um,
    )

    kind = np.full(gland.shape, NONE)
    target = np.zeros_like(gland)
    choice = np.zeros(gland.shape, int)

    def assign(where: Mask, name: int, plane: int = 0, step: Plane | float = 0.0) -> None:
        kind[where] = name
        choice[where] = plane
        target[where] = np.broadcast_to(np.asarray(step, np.float32), gland.shape)[where]

    infiltrate = (
        organ.lymphocytes
        + 0.07 * np.clip(inflamed - 0.3, 0, 1.5)
        + 0.06 * (np.abs(lesion) < 40) * (inflamed > -0.5)
    )
    assign(chance < 0.045, SPINDLE)
    assign(chance > 1 - infiltrate, LYMPHOCYTE)
    assign(muscle > 0, NONE)
    assign((muscle > 0) & (chance < 0.05), MUSCLE)
    assign(follicle < 0, NONE)
    middle = follicle < -45
    if organ.tufts:
        assign((follicle < -GLOMERULAR_GAP_UM) & (chance < 0.55), ENDOTHELIUM, 6)
    else:
        assign((follicle < 0) & ~middle, LYMPHOCYTE, 6)
        assign(middle & (chance < 0.8), CENTRE, 6)
    assign(gland < 1.5, NONE)
    in_ring = (gland < 0) & (gland > -10.5)
    assign(in_ring & ~tumour, EPITHELIUM, 1, -5.0 - 1.6 * depth - gland)
    open_space = (gland < -lining + 3.5) | (tumour & (sieve > 0.75) & (gland < -8))
    assign((gland < -2.5) & tumour & ~open_space & (chance < 0.9), TUMOUR, 1)
    assign((duct < 1.5), NONE)
    first_layer = (duct < -1) & (duct > -9)
    assign(first_layer, DUCT, 2, -4.2 - 1.2 * depth - duct)
    assign((duct <= -9) & (duct > -16), DUCT, 2, -12.5 - 2 * depth - duct)
    assign(fat > 0, NONE)
    septal = (fat > 0) & (np.abs(border) < 3 + organ.septum_um)
    assign(
        septal & (chance < organ.septum_cells),
        FAT,
        5,
        (depth - 0.5) * 2 * (organ.septum_um - 1.2) - border,
    )
    assign(
        (np.abs(capillary) < 2.4) & (chance < 0.35) & (fat < 0) & (muscle < 0),
        ENDOTHELIUM,
        4,
        -capillary,
    )
    assign(vessel < 2, NONE)
    assign((vessel < 0) & (lumen > 0) & (chance < 0.28), SPINDLE, 3)
    assign((vessel < 2) & (np.abs(lumen) < 2.6) & (chance < 0.5), ENDOTHELIUM, 3, -lumen)
    assign(necrosis > 0, NONE)
    assign((necrosis > 0) & (chance < 0.05), LYMPHOCYTE)
    assign(tissue < 3.5, NONE)
    return kind, target, planes, choice


def _spaced(place: npt.NDArray[np.float64], kind: Integers, rank: Plane) -> Mask:
    """Which candidates stay when too close ones give way: Matérn's second hard-core process, twice.

    The second round brings back those that lost only to losers.
    """
    apart: Plane = np.array([*(c.apart_um for c in NUCLEUS_CLASSES), 0.0], np.float32)[kind]
    alive = kind != NONE
    kept: Mask = np.zeros(alive.shape, bool)
    for _ in range(2):
        winners = alive & ~_challenged(place, apart, rank, alive)
        kept = kept | winners
        # Those kept outrank all others now.
        alive = alive & ~winners & ~_challenged(place, apart, rank - 2 * alive, kept)
    return kept


#: Half of the lattice squares around one, whose opposites are the other half.
_HALF_AROUND = [(dy, dx) for dy in range(3) for dx in range(-2, 3) if dy > 0 or dx > 0]


def _challenged(place: npt.NDArray[np.float64], apart: Plane, rank: Plane, rivals: Mask) -> Mask:
    """Candidates with a rival of higher rank too close to them."""
    challenged = np.zeros(rivals.shape, bool)
    x, y = (place - place[:, :1, :1]).astype(np.float32)
    half = 0.5 * apart
    for dy, dx in _HALF_AROUND:  # each pair of neighbours once
        ours, theirs = _overlap(rivals.shape, dy, dx)
        gap = (x[ours] - x[theirs]) ** 2 + (y[ours] - y[theirs]) ** 2
        close = gap < (half[ours] + half[theirs]) ** 2
        lower = rank[theirs] > rank[ours]
        challenged[ours] |= close & lower & rivals[theirs]
        challenged[theirs] |= close & ~lower & rivals[ours]
    return challenged


def _overlap(
    shape: tuple[int, ...], dy: int, dx: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Windows of an array and of the same array shifted by (dy, dx)."""

    def pair(size: int, step: int) -> tuple[slice, slice]:
        return slice(max(0, -step), size - max(0, step)), slice(max(0, step), size + min(0, step))

    (rows, their_rows), (columns, their_columns) = pair(shape[0], dy), pair(shape[1], dx)
    return (rows, columns), (their_rows, their_columns)
