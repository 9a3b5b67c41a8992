"""Nuclei: where they are, of which class, and their shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.crop import Window
from stainbridge.phantom.space.interpolation import interpolate_plane
from stainbridge.phantom.space.randomness import Integers, derive_key, hash_uniform
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.phantom.tissue.organs import Organ
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.types import Mask, Plane, Points

Draw: TypeAlias = Callable[[str], Plane]  # uniform random numbers of the candidates, by name
Vectors: TypeAlias = npt.NDArray[np.floating]  # (2, rows, columns): x and y

#: Side in µm of the lattice squares, each of which has one candidate.
LATTICE_UM = 4.6
#: How far from its lattice square a nucleus can reach, in µm.
REACH_UM = 22.0
#: Gap between a glomerulus and its capsule in µm.
GLOMERULAR_GAP_UM = 7.0


@dataclass(frozen=True)
class NucleusClass:
    """How nuclei of one class look."""

    name: str
    """The name of the class."""
    long_um: float
    """Half the long axis."""
    short_um: float
    """Half the short axis."""
    variation: float
    """Variation of the size, as the deviation of its logarithm."""
    density: float
    """Density of the chromatin."""
    spacing_um: float
    """Smallest distance to the next nucleus."""
    vesicularity: float = 0.3
    """How much paler the inside is than the membrane."""


#: The classes of nuclei; a class has the number of its place here.
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
#: The class number of a candidate that is no nucleus.
NO_NUCLEUS = -1


@dataclass(frozen=True, eq=False)
class Nuclei:
    """N nuclei."""

    centre_um: Points
    """Centres, (N, 2)."""
    half_axes_um: Points
    """Half the long and the short axis, (N, 2)."""
    angle_rad: npt.NDArray[np.float64]
    """Directions of the long axes, (N,)."""
    class_index: Integers
    """Numbers of the classes, (N,)."""
    density: Plane
    """Densities of the chromatin, (N,)."""
    positivity: Plane
    """Uniform random numbers, (N,): a nucleus is positive below a stain's positive share."""
    shape: Plane
    """Uniform random numbers, (N,), that make outlines irregular."""


@dataclass(frozen=True, eq=False)
class _Candidates:
    """A class for each candidate of the lattice, and how it settles; arrays are (rows, columns)."""

    class_index: Integers
    """Number of the class, or `NO_NUCLEUS`."""
    plane_index: Integers
    """Which of `_list_guide_planes` the candidate settles along."""
    step_um: Plane
    """The step along the gradient of that plane."""


def scatter_nuclei(plane: TissuePlane, anatomy: Anatomy, frame: Frame) -> Nuclei:
    """Return the nuclei of a plane that can touch `frame`.

    The anatomy must reach 25 µm beyond `frame`.
    """
    origin = np.array(frame.origin_um)
    low = np.floor((origin - REACH_UM) / LATTICE_UM).astype(int)
    high = np.ceil((origin + frame.size_um + REACH_UM) / LATTICE_UM).astype(int)
    column: Integers = np.arange(low[0], high[0])[None, :]
    row: Integers = np.arange(low[1], high[1])[:, None]

    def draw(name: str) -> Plane:
        key = derive_key(plane.config.seed, "nuclei", plane.section_number, name)
        return hash_uniform(column, row, key)

    x = (column + 0.1 + 0.8 * draw("x")) * LATTICE_UM
    y = (row + 0.1 + 0.8 * draw("y")) * LATTICE_UM
    place = np.stack([x, y])
    probe = _Probe(anatomy, place)
    candidates = _classify_candidates(plane.config.organ_model, probe, draw)
    normal = probe.compute_directions(_list_guide_planes(anatomy), candidates.plane_index)
    place = place + normal * candidates.step_um
    present = candidates.class_index != NO_NUCLEUS
    keep = present & _thin_candidates(place, candidates.class_index, draw("rank"))
    class_index = candidates.class_index[keep]
    table = np.array([(c.long_um, c.short_um, c.variation, c.density) for c in NUCLEUS_CLASSES])
    looks = table[class_index]
    size = np.exp(looks[:, 2] * 1.7 * (draw("size")[keep] - 0.5) * 2)
    squash = np.exp(0.25 * (draw("squash")[keep] - 0.5))
    half_axes = np.stack([looks[:, 0] * size * squash, looks[:, 1] * size / squash], axis=1)
    density = looks[:, 3] * (0.80 + 0.36 * draw("chromatin")[keep])
    normal_rad = np.arctan2(normal[1], normal[0])[keep]
    return Nuclei(
        np.stack([place[0][keep], place[1][keep]], axis=1),
        half_axes,
        _orient_nuclei(class_index, normal_rad, (draw("angle") - 0.5)[keep]),
        class_index,
        np.asarray(density, np.float32),
        draw("lot")[keep],
        draw("shape")[keep],
    )


def _orient_nuclei(
    class_index: Integers, normal_rad: npt.NDArray[np.floating], jitter: Plane
) -> npt.NDArray[np.float64]:
    """Return the directions of the long axes, (N,): across an epithelium, else along structures."""
    spread_rad = np.select(
        [class_index == EPITHELIUM, class_index == TUMOUR, class_index == LYMPHOCYTE],
        [0.5, 2.2, 3.1],
        0.35,
    )
    across = (class_index == EPITHELIUM) | (class_index == TUMOUR)
    angle = np.where(across, normal_rad, normal_rad + np.pi / 2)
    return np.asarray(angle + spread_rad * jitter)


class _Probe:
    """Samples planes of the anatomy at the candidates' places."""

    def __init__(self, anatomy: Anatomy, place: npt.NDArray[np.float64]) -> None:
        """Probe at `place`, (2, rows, columns) µm."""
        self.anatomy = anatomy
        left, top = anatomy.frame.origin_um
        width_um, height_um = anatomy.frame.mpp
        self._x = np.asarray((place[0] - left) / width_um - 0.5, np.float32)
        self._y = np.asarray((place[1] - top) / height_um - 0.5, np.float32)

    def __call__(self, plane: Plane) -> Plane:
        """Return the values of `plane`, (rows, columns)."""
        return interpolate_plane(plane, self._x, self._y)

    def compute_directions(self, planes: tuple[Plane, ...], plane_index: Integers) -> Vectors:
        """Return the unit gradient, at each place, of the plane that `plane_index` picks there."""
        gradient = np.zeros((2, *self._x.shape), np.float32)
        for index, plane in enumerate(planes):
            picked = plane_index == index
            if picked.any():
                right = interpolate_plane(plane, self._x + 1, self._y)
                left = interpolate_plane(plane, self._x - 1, self._y)
                below = interpolate_plane(plane, self._x, self._y + 1)
                above = interpolate_plane(plane, self._x, self._y - 1)
                gradient[0][picked] = (right - left)[picked]
                gradient[1][picked] = (below - above)[picked]
        return np.asarray(gradient / np.maximum(np.hypot(gradient[0], gradient[1]), 1e-6))


class _Guide(IntEnum):
    """Which plane of the anatomy a nucleus is oriented by, and settles along."""

    FIBRES = 0
    GLANDS = 1
    DUCTS = 2
    VESSELS = 3
    CAPILLARIES = 4
    FAT_BORDERS = 5
    FOLLICLES = 6


def _list_guide_planes(anatomy: Anatomy) -> tuple[Plane, ...]:
    """Return the planes in the order of `_Guide`."""
    return (
        anatomy.fibre_phase,
        anatomy.gland_um,
        anatomy.duct_um,
        anatomy.vessel_um,
        anatomy.capillary_um,
        anatomy.fat_border_um,
        anatomy.follicle_um,
    )


def _classify_candidates(organ: Organ, probe: _Probe, draw: Draw) -> _Candidates:
    """Return a class for each candidate, by where it lies; later rules override earlier ones."""
    anatomy = probe.anatomy
    zones = anatomy.zones
    gland = probe(anatomy.gland_um)
    lining = probe(anatomy.lining_um)
    tumour = probe(anatomy.tumour) > 0.5
    sieve = probe(anatomy.sieve)
    duct = probe(anatomy.duct_um)
    vessel = probe(anatomy.vessel_um)
    lumen = vessel + probe(anatomy.vessel_wall_um)
    follicle = probe(anatomy.follicle_um)
    capillary = probe(anatomy.capillary_um)
    fat_border = probe(anatomy.fat_border_um)
    tissue = probe(zones.tissue_depth_um)
    muscle = probe(zones.muscle_depth_um)
    fat = probe(zones.fat_depth_um)
    lesion = probe(zones.lesion_depth_um)
    necrosis = probe(zones.necrosis_depth_um)
    inflammation = probe(zones.inflammation)
    chance = draw("chance")
    depth = draw("depth")

    class_index = np.full(gland.shape, NO_NUCLEUS)
    plane_index = np.zeros(gland.shape, int)
    step_um = np.zeros_like(gland)

    def assign(
        where: Mask, index: int, guide: _Guide = _Guide.FIBRES, step: Plane | float = 0.0
    ) -> None:
        class_index[where] = index
        plane_index[where] = guide
        step_um[where] = np.broadcast_to(np.asarray(step, np.float32), gland.shape)[where]

    lymphocyte_share = (
        organ.lymphocyte_share
        + 0.07 * np.clip(inflammation - 0.3, 0, 1.5)
        + 0.06 * (np.abs(lesion) < 40) * (inflammation > -0.5)
    )
    assign(chance < 0.045, SPINDLE)
    assign(chance > 1 - lymphocyte_share, LYMPHOCYTE)
    assign(muscle > 0, NO_NUCLEUS)
    assign((muscle > 0) & (chance < 0.05), MUSCLE)
    assign(follicle < 0, NO_NUCLEUS)
    if organ.has_glomeruli:
        in_tuft = (follicle < -GLOMERULAR_GAP_UM) & (chance < 0.55)
        assign(in_tuft, ENDOTHELIUM, _Guide.FOLLICLES)
    else:
        in_centre = follicle < -45
        assign((follicle < 0) & ~in_centre, LYMPHOCYTE, _Guide.FOLLICLES)
        assign(in_centre & (chance < 0.8), CENTRE, _Guide.FOLLICLES)
    assign(gland < 1.5, NO_NUCLEUS)
    in_epithelium = (gland < 0) & (gland > -10.5) & ~tumour
    assign(in_epithelium, EPITHELIUM, _Guide.GLANDS, -5.0 - 1.6 * depth - gland)
    in_lumen = (gland < -lining + 3.5) | (tumour & (sieve > 0.75) & (gland < -8))
    in_nest = (gland < -2.5) & tumour & ~in_lumen
    assign(in_nest & (chance < 0.9), TUMOUR, _Guide.GLANDS)
    assign((duct < 1.5), NO_NUCLEUS)
    assign((duct < -1) & (duct > -9), DUCT, _Guide.DUCTS, -4.2 - 1.2 * depth - duct)
    assign((duct <= -9) & (duct > -16), DUCT, _Guide.DUCTS, -12.5 - 2 * depth - duct)
    assign(fat > 0, NO_NUCLEUS)
    in_septum = (fat > 0) & (np.abs(fat_border) < 3 + organ.septum_half_width_um)
    septum_step = (depth - 0.5) * 2 * (organ.septum_half_width_um - 1.2) - fat_border
    assign(in_septum & (chance < organ.septum_nucleus_share), FAT, _Guide.FAT_BORDERS, septum_step)
    at_capillary = (np.abs(capillary) < 2.4) & (fat < 0) & (muscle < 0)
    assign(at_capillary & (chance < 0.35), ENDOTHELIUM, _Guide.CAPILLARIES, -capillary)
    assign(vessel < 2, NO_NUCLEUS)
    assign((vessel < 0) & (lumen > 0) & (chance < 0.28), SPINDLE, _Guide.VESSELS)
    at_lumen = (vessel < 2) & (np.abs(lumen) < 2.6)
    assign(at_lumen & (chance < 0.5), ENDOTHELIUM, _Guide.VESSELS, -lumen)
    assign(necrosis > 0, NO_NUCLEUS)
    assign((necrosis > 0) & (chance < 0.05), LYMPHOCYTE)
    assign(tissue < 3.5, NO_NUCLEUS)
    return _Candidates(class_index, plane_index, step_um)


def _thin_candidates(place: Vectors, class_index: Integers, rank: Plane) -> Mask:
    """Return which candidates stay when those too close to one of higher rank are removed.

    This is Matérn's second hard-core process, run twice: the second round brings back those that
    lost only to losers.
    """
    spacings = np.array([*(c.spacing_um for c in NUCLEUS_CLASSES), 0.0], np.float32)
    spacing: Plane = spacings[class_index]  # `NO_NUCLEUS` takes the last one
    alive = class_index != NO_NUCLEUS
    kept: Mask = np.zeros(alive.shape, bool)
    for _ in range(2):
        winners = alive & ~_find_outranked(place, spacing, rank, alive)
        kept = kept | winners
        # Those kept outrank all others now.
        alive = alive & ~winners & ~_find_outranked(place, spacing, rank - 2 * alive, kept)
    return kept


#: Offsets (row, column) to half of the lattice squares around one; their opposites are the other
#: half.
_HALF_OF_NEIGHBOURS = [(dy, dx) for dy in range(3) for dx in range(-2, 3) if dy > 0 or dx > 0]


def _find_outranked(place: Vectors, spacing: Plane, rank: Plane, rivals: Mask) -> Mask:
    """Return which candidates have a rival of higher rank too close to them."""
    outranked = np.zeros(rivals.shape, bool)
    x, y = (place - place[:, :1, :1]).astype(np.float32)
    half = 0.5 * spacing
    for dy, dx in _HALF_OF_NEIGHBOURS:  # each pair of neighbours once
        ours, theirs = _overlap_windows(rivals.shape, dy, dx)
        squared_distance = (x[ours] - x[theirs]) ** 2 + (y[ours] - y[theirs]) ** 2
        close = squared_distance < (half[ours] + half[theirs]) ** 2
        lower = rank[theirs] > rank[ours]
        outranked[ours] |= close & lower & rivals[theirs]
        outranked[theirs] |= close & ~lower & rivals[ours]
    return outranked


def _overlap_windows(shape: tuple[int, ...], dy: int, dx: int) -> tuple[Window, Window]:
    """Return the windows in which an array and its copy shifted by (dy, dx) overlap."""
    rows, shifted_rows = _overlap_slices(shape[0], dy)
    columns, shifted_columns = _overlap_slices(shape[1], dx)
    return (rows, columns), (shifted_rows, shifted_columns)


def _overlap_slices(size: int, step: int) -> tuple[slice, slice]:
    own = slice(max(0, -step), size - max(0, step))
    shifted = slice(max(0, step), size + min(0, step))
    return own, shifted
