"""Draw what slides of several pieces differ in: cuts, places, turns, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.glass.fragment import Cut, Fragment
from stainbridge.phantom.pairs.config import ANY_ORGAN
from stainbridge.phantom.pairs.fragment_config import PIECES, FragmentsConfig
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import ORGANS

#: Radius of a piece, at most, as a share of its slot on the glass.
PIECE_SHARE = 0.42
#: Radius of a core as a share of that.
CORE_SHARE = 0.75
#: How far cores turn when an array is cut and mounted, in degrees.
CORE_TURN_DEG = 12.0
#: Probability that a piece is missing on one slide.
MISSING_PROBABILITY = 0.12
#: Probability that one slide has control tissue.
CONTROL_PROBABILITY = 0.4
#: Probability that fragments lie in another order.
SWAP_PROBABILITY = 0.5
#: Side of the section over the radius of its pieces and the root of their number.
SECTION_RADII = {"fragments": 2.0, "cores": 2.3}
#: Elastic displacement of a piece, as a share of its radius.
ELASTIC_SHARE = 0.03
#: Rounds in which middles are moved to the middles of their cells.
SPREADING_ROUNDS = 8
#: Nodes a side of the grid that middles are spread on.
SPREADING_PX = 64
#: What control tissue is called.
CONTROL = "control"


@dataclass(frozen=True)
class Layout:
    """What lies where on both slides."""

    tissue: TissueConfig
    """The block that the pieces are cut from."""
    cuts: tuple[Cut, ...]
    """The part of the section that each piece is."""
    radius_um: float
    """Radius that a piece may have."""
    slots: tuple[tuple[float, float], ...]
    """Places on the glass, (x, y); the last one is that of control tissue, where there is any."""
    order: tuple[int, ...]
    """The slot of each piece on the moving slide."""
    missing: dict[int, str]
    """From which slide a piece is missing, by its number."""
    control_side: str | None
    """Which slide has control tissue."""

    def place(self, number: int, side: str) -> tuple[float, float]:
        """Return where a piece lies on a slide, (x, y)."""
        return self.slots[number if side == "fixed" else self.order[number]]


def draw_layout(config: FragmentsConfig, rng: np.random.Generator) -> Layout:
    """Return how many pieces there are, and what lies where."""
    count = config.pieces or int(rng.integers(PIECES[0], PIECES[1] + 1))
    missing = _draw_missing(config, count, rng)
    control_side = _draw_control(config, rng)
    order = _draw_order(config, count, rng)
    slots, slot_um = _plan_slots(config, count + (control_side is not None))
    radius_um = PIECE_SHARE * slot_um
    tissue = _choose_tissue(config, count, radius_um)
    cuts = _cut_section(config, tissue, count, radius_um)
    return Layout(tissue, tuple(cuts), radius_um, tuple(slots), tuple(order), missing, control_side)


def choose_stain(config: FragmentsConfig, side: str) -> Stain:
    """Return the stain of one slide."""
    name = config.fixed_stain if side == "fixed" else config.moving_stain
    if name == RANDOM_STAIN:
        return sample_stain(np.random.default_rng(derive_key(config.seed, side, RANDOM_STAIN)))
    return find_stain(name)


def _draw_missing(config: FragmentsConfig, count: int, rng: np.random.Generator) -> dict[int, str]:
    """Return from which slide a piece is missing, by its number; at least one is on both."""
    drawn = int(rng.binomial(count, MISSING_PROBABILITY))
    wanted = drawn if config.missing is None else config.missing
    numbers = rng.permutation(count)[: min(wanted, count - 1)]
    return {int(number): ("fixed", "moving")[int(rng.integers(2))] for number in numbers}


def _draw_control(config: FragmentsConfig, rng: np.random.Generator) -> str | None:
    """Return the slide that has control tissue, None for neither."""
    drawn = bool(rng.uniform() < CONTROL_PROBABILITY)
    side = ("fixed", "moving")[int(rng.integers(2))]
    return side if (drawn if config.control is None else config.control) else None


def _draw_order(config: FragmentsConfig, count: int, rng: np.random.Generator) -> list[int]:
    """Return the slot of each piece on the moving slide; cores stay in theirs."""
    drawn = bool(rng.uniform() < SWAP_PROBABILITY) and config.arrangement == "fragments"
    shuffled = rng.permutation(count).tolist()
    if drawn if config.swapped is None else config.swapped:
        return shuffled if shuffled != list(range(count)) else [*range(1, count), 0]
    return list(range(count))


def _plan_slots(config: FragmentsConfig, count: int) -> tuple[list[tuple[float, float]], float]:
    """Return the middles of the places on the glass, row by row, and their shorter side."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = int(np.ceil(count / columns))
    side_um = config.size_px * config.mpp
    pitch = (side_um / columns, side_um / rows)
    slots = [
        ((n % columns + 0.5) * pitch[0], (n // columns + 0.5) * pitch[1]) for n in range(count)
    ]
    return slots, min(pitch)


def _choose_tissue(config: FragmentsConfig, count: int, radius_um: float) -> TissueConfig:
    """Return the block that the pieces are cut from."""
    organ = config.organ
    if organ == ANY_ORGAN:
        rng = np.random.default_rng(derive_key(config.seed, "organ"))
        organ = list(ORGANS)[int(rng.integers(len(ORGANS)))]
    side_um = max(200.0, SECTION_RADII[config.arrangement] * radius_um * float(np.sqrt(count)))
    return TissueConfig(config.seed, side_um, side_um, organ=organ)


def _cut_section(
    config: FragmentsConfig, tissue: TissueConfig, count: int, radius_um: float
) -> list[Cut]:
    """Return the parts of the section: cells about spread middles, or discs."""
    middles = _spread_middles(StainedSection(tissue), count, config.seed)
    if config.arrangement == "cores":
        return [Cut(middle, CORE_SHARE * radius_um) for middle in middles]
    return [
        Cut(middle, radius_um, tuple(other for other in middles if other != middle))
        for middle in middles
    ]


def _spread_middles(section: StainedSection, count: int, seed: int) -> list[tuple[float, float]]:
    """Return points spread evenly over a section (Lloyd's algorithm)."""
    rng = np.random.default_rng(derive_key(seed, "middles"))
    side_um = section.tissue.shorter_side_um
    pitch_um = side_um / SPREADING_PX
    grid = Space("tissue", SPREADING_PX, SPREADING_PX, (pitch_um, pitch_um)).frame.centres_um()
    inside = grid[section.tissue_depth_um(grid) > 0]
    middles = inside[rng.choice(len(inside), count, replace=False)]
    for _ in range(SPREADING_ROUNDS):
        nearest = np.hypot(*(inside[:, None] - middles).transpose(2, 0, 1)).argmin(axis=1)
        middles = np.array(
            [
                inside[nearest == n].mean(axis=0) if (nearest == n).any() else middle
                for n, middle in enumerate(middles)
            ]
        )
    return [(float(x), float(y)) for x, y in middles]


def draw_deformation(
    config: FragmentsConfig, side: str, radius_um: float, rng: np.random.Generator
) -> DeformationConfig:
    """Return how a piece lies: on the fixed slide about as it was cut, on the moving one anyhow."""
    largest_deg = CORE_TURN_DEG if config.arrangement == "cores" else config.rotation_deg
    rotation_deg = float(rng.uniform(-largest_deg, largest_deg))
    flip = bool(rng.uniform() < config.flip_probability) and config.arrangement == "fragments"
    scale = float(np.exp(rng.uniform(-0.03, 0.03)))
    elastic_um = ELASTIC_SHARE * radius_um
    if side == "fixed":
        return DeformationConfig(elastic_um=0.25 * elastic_um)
    return DeformationConfig(rotation_deg, flip, scale, elastic_um=elastic_um, elastic_scale=0.3)


def make_control(
    config: FragmentsConfig,
    stain: Stain,
    place: tuple[float, float],
    radius_um: float,
    frame: Frame,
) -> Fragment:
    """Return a piece of other tissue."""
    side_um = max(200.0, 1.6 * radius_um)
    organ = list(ORGANS)[derive_key(config.seed, CONTROL) % len(ORGANS)]
    tissue = TissueConfig(derive_key(config.seed, CONTROL), side_um, side_um, organ=organ)
    middle = (side_um / 2, side_um / 2)
    return Fragment(
        CONTROL,
        StainedSection(tissue, stain),
        Cut(middle, radius_um),
        place,
        DeformationConfig(),
        frame,
    )
