"""Where windows all over a fixed slide fit best on the moving slide seen through an alignment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.pairing.matching import extract_features, match_windows
from stainbridge.registration.sections.density import SlideDensity
from stainbridge.registration.sections.section import Section
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Field, Plane

#: Windows along each side of a tile, which is read at once.
WINDOWS_PER_TILE = 12
#: Pixels beyond what windows need, for the filters before the matching.
FILTER_MARGIN_PX = 8


@dataclass(frozen=True)
class WindowPlan:
    """Which windows are matched."""

    mpp: float
    """Pixel size in µm."""
    window_px: int
    """Side of a window."""
    spacing_px: int
    """Distance from one window to the next."""
    reach_px: int
    """Largest shift that is found."""

    @property
    def margin_px(self) -> int:
        """Pixels that are read beyond a window's centre."""
        return self.window_px // 2 + self.reach_px + FILTER_MARGIN_PX


@dataclass(frozen=True, eq=False)
class WindowShifts:
    """What the windows of a slide found."""

    shifts_um: Field
    """From a place to where the same tissue is seen through the alignment, (2, h, w)."""
    deviations_um: Plane
    """Standard deviation of each shift along an axis, (h, w); inf where nothing tells."""
    grid: Frame
    """The windows' centres, in the fixed slide's space."""


@dataclass(frozen=True, eq=False)
class SlidePairDensities:
    """Two slides and what turns their pictures into densities."""

    fixed: Slide
    """The slide that stays in place."""
    moving: Slide
    """The slide that is aligned to it."""
    fixed_density: SlideDensity
    """Density of the fixed slide's pictures."""
    moving_density: SlideDensity
    """Density of the moving slide's pictures."""

    def match(
        self, transform: Transform, plan: WindowPlan, progress: Callable[[float], None]
    ) -> WindowShifts:
        """Match windows of all tissue through `transform`; in memory is one tile."""
        whole = self.fixed.frame.at_mpp(plan.mpp)
        rows = max(1, whole.height // plan.spacing_px)
        columns = max(1, whole.width // plan.spacing_px)
        covered = whole.crop(0, 0, columns * plan.spacing_px, rows * plan.spacing_px)
        shifts = np.zeros((2, rows, columns), np.float32)
        deviations = np.full((rows, columns), np.inf, np.float32)
        used = _find_tissue(self.fixed_density.overview, covered, (rows, columns))
        warped = WarpedSlide(self.moving, transform)
        blocks = list(_list_blocks(rows, columns))
        for number, block in enumerate(blocks):
            inside = np.argwhere(used[block])
            if len(inside):
                tile = _frame_block(covered, block, plan)
                centres = (inside[:, ::-1] * plan.spacing_px) + plan.spacing_px // 2
                matches = match_windows(
                    extract_features(self.fixed_density(self.fixed.read(tile))),
                    extract_features(self.moving_density(warped.read(tile))),
                    centres + plan.margin_px,
                    plan.window_px,
                    plan.reach_px,
                )
                at = (inside[:, 0] + block[0].start, inside[:, 1] + block[1].start)
                shifts[:, at[0], at[1]] = matches.shifts_px.T
                deviations[at] = matches.deviations_px
            progress((number + 1) / len(blocks))
        mpp = covered.mpp[0]
        grid = covered.at_mpp((mpp * plan.spacing_px, covered.mpp[1] * plan.spacing_px))
        return WindowShifts(shifts * np.float32(mpp), deviations * np.float32(mpp), grid)


def _list_blocks(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Return the rows and columns of windows that are read together."""
    step = WINDOWS_PER_TILE
    for row, column in product(range(0, rows, step), range(0, columns, step)):
        yield slice(row, min(row + step, rows)), slice(column, min(column + step, columns))


def _frame_block(covered: Frame, block: tuple[slice, slice], plan: WindowPlan) -> Frame:
    spacing, margin = plan.spacing_px, plan.margin_px
    down, across = block
    return covered.crop(
        across.start * spacing - margin,
        down.start * spacing - margin,
        (across.stop - across.start) * spacing + 2 * margin,
        (down.stop - down.start) * spacing + 2 * margin,
    )


def _find_tissue(section: Section, covered: Frame, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return whose centres lie in tissue, of `shape` windows that fill `covered`."""
    rows, columns = shape
    width_um, height_um = covered.size_um
    grid = covered.at_mpp((width_um / columns, height_um / rows))
    centres = grid.centres_um()
    px = section.frame.to_px(centres).astype(int)
    x = px[:, 0].clip(0, section.frame.width - 1)
    y = px[:, 1].clip(0, section.frame.height - 1)
    is_tissue = section.region[y, x] & section.frame.contains(centres)
    return np.asarray(is_tissue.reshape(shape))
