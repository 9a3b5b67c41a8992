"""Pairs of which no smooth transform is right, or several are: what `ok` must not be said of.

    export STAINBRIDGE_DATA=../shared/data
    python benchmarks/misfit_pairs.py real --preset fast       # or: generated, repeats
    python benchmarks/misfit_pairs.py real --kinds given bands-10
    python benchmarks/misfit_pairs.py seams --kinds given bands-3 step-6

Tissue is wrongly stitched, doubled, or repeats itself. A line a trial says the status, the share
that would fit better elsewhere, and the 90th percentile of the landmarks' errors over the tissue's
diagonal. `seams` registers nothing: a line says how clearly a section alone shows that it is cut.
Nothing is random.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from real_pairs import SECTIONS, LandmarkPair, open_pairs
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.sections.seam import SEAM_PX
from stainbridge.registration.sections.section import read_section
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

Picture = npt.NDArray[np.uint8]  # (H, W, 3)
#: Colour of bare glass.
GLASS = 243
#: Longest side of the pictures that are changed.
LONGEST_PX = 900


@dataclass(frozen=True, eq=False)
class Shown:
    """A section with its landmarks (N, 2) in pixels."""

    picture: Picture
    points: Points


def shift_bands(shown: Shown, share: float, bands: int, *, every_second: bool) -> Shown:
    """Shift horizontal bands sideways by a share of the picture's height, as bad stitching does.

    Every second band is shifted, or all below the middle.
    """
    height, width = shown.picture.shape[:2]
    shift = round(share * height)
    band = np.minimum(np.arange(height) * bands // height, bands - 1)
    is_moved = band % 2 == 1 if every_second else band >= bands // 2
    picture = np.full((height, width + 2 * shift, 3), GLASS, np.uint8)
    picture[~is_moved, shift : shift + width] = shown.picture[~is_moved]
    picture[is_moved, 2 * shift :] = shown.picture[is_moved]
    rows = np.clip(shown.points[:, 1].astype(int), 0, height - 1)
    moved = shown.points + np.c_[shift * (1 + is_moved[rows]), np.zeros(len(rows))]
    return Shown(picture, moved)


def swap_halves(shown: Shown, *, upper: bool) -> Shown:
    """Put the left half in the right one's place, or the upper in the lower one's."""
    axis = 0 if upper else 1
    side = shown.picture.shape[axis]
    middle = side // 2
    column = 1 - axis
    points = shown.points.copy()
    points[:, column] += np.where(points[:, column] < middle, side - middle, -middle)
    return Shown(np.roll(shown.picture, -middle, axis=axis), points)


def double_tissue(shown: Shown, gap_px: int) -> Shown:
    """Put the same tissue beside itself; the landmarks are those of the left one."""
    height, _ = shown.picture.shape[:2]
    gap = np.full((height, gap_px, 3), GLASS, np.uint8)
    return replace(shown, picture=np.hstack([shown.picture, gap, shown.picture]))


def draw_stripes(period_px: int, offset_px: int, dark: tuple[int, int, int]) -> Shown:
    """Draw tissue of like stripes that runs over the frame's edges; `offset_px` moves them."""
    height, width = 600, 800
    columns = np.arange(width) - offset_px
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * columns / period_px)
    rng = np.random.default_rng(5)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 1) * 0.05
    depth = np.clip(0.2 + 0.6 * wave[None] + noise, 0, 1)
    depth[:60] = depth[-60:] = 0
    x, y = np.meshgrid(np.arange(100, 701, 60), np.arange(100, 501, 50))
    points = np.c_[x.ravel() + offset_px, y.ravel()].astype(float)
    return Shown(_stain(depth, dark), points)


def draw_symmetric(turn: bool, dark: tuple[int, int, int], seed: int, shape: str) -> Shown:
    """Draw tissue whose outline is that of itself turned by 180°, with nothing to tell inside.

    `turn` turns it by 180°; `seed` draws noise of its own.
    """
    height, width = 600, 800
    y, x = np.mgrid[:height, :width]
    across, down = (x - 400) / 300, (y - 300) / 190
    inside = {
        "ellipse": np.hypot(across, down) < 1,
        "bar": (np.abs(across) < 1) & (np.abs(down) < 0.6),
        "lens": np.abs(across) + np.abs(down) ** 1.5 < 1,
    }[shape]
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 1.5) * 0.1
    depth = np.clip(cv2.GaussianBlur(inside * 0.6, (0, 0), 2) + inside * noise, 0, 1)
    gx, gy = np.meshgrid(np.linspace(-0.6, 0.6, 9), np.linspace(-0.35, 0.35, 7))
    points = np.c_[400 + 300 * gx.ravel(), 300 + 190 * gy.ravel()]
    if turn:
        return Shown(_stain(depth[::-1, ::-1], dark), [width, height] - points)
    return Shown(_stain(depth, dark), points)


def draw_cores(rows: int, columns: int, step: int, dark: tuple[int, int, int]) -> Shown:
    """Draw an array of like cores; `step` says by how many columns the landmarks' core differs."""
    pitch = 120
    depth = np.zeros((rows * pitch + 80, columns * pitch + 80))
    rng = np.random.default_rng(9)
    core = cv2.GaussianBlur(rng.normal(0, 1, (81, 81)), (0, 0), 4)
    core = np.clip(0.5 + 0.15 * core / core.std(), 0, 1)
    y, x = np.mgrid[-40:41, -40:41]
    core = core * (np.hypot(x, y) < 40)
    points = []
    for row in range(rows):
        for column in range(columns):
            top, left = 60 + row * pitch, 60 + column * pitch
            depth[top : top + 81, left : left + 81] = core
            points += [(left + 40 + dx, top + 40 + dy) for dx in (-20, 20) for dy in (-20, 20)]
    shown = Shown(_stain(depth, dark), np.array(points, float))
    return replace(shown, points=np.roll(shown.points, 4 * step, axis=0))


def _stain(depth: npt.NDArray[np.floating], dark: tuple[int, int, int]) -> Picture:
    """Return a picture of optical depths (H, W), 0 to 1."""
    colour = np.array(dark, float)
    picture = GLASS * np.power(colour / GLASS, depth[..., None])
    return np.asarray(picture.round().clip(0, 255), np.uint8)


#: What is done to the moving slide, or to the fixed one ("twice-fixed"), by kind.
KINDS: dict[str, Callable[[Shown], Shown]] = {
    "given": lambda shown: shown,
    **{
        f"bands-{percent}": partial(shift_bands, share=percent / 100, bands=4, every_second=True)
        for percent in (3, 6, 10, 15)
    },
    **{
        f"step-{percent}": partial(shift_bands, share=percent / 100, bands=2, every_second=False)
        for percent in (6, 10, 15)
    },
    "halves": partial(swap_halves, upper=False),
    "halves-upper": partial(swap_halves, upper=True),
    "twice": partial(double_tissue, gap_px=0),
    "twice-fixed": partial(double_tissue, gap_px=0),
}
#: Stains of the moving slides of generated pairs, in turn.
STAINS = ("Ki67", "PanCK", "CD31")
PURPLE = (150, 60, 150)
BROWN = (120, 90, 60)


def show(slide: Slide, points: Points) -> Shown:
    """Return a slide at its longest side in pixels, with its landmarks."""
    frame = slide.frame.fit(LONGEST_PX)
    picture = np.moveaxis(slide.read(frame).pixels, 0, -1)
    return Shown(picture, frame.to_px(slide.frame.to_um(points)))


def list_pairs(source: str) -> Iterator[tuple[str, Shown, Shown]]:
    """Yield names and both sides of real or generated pairs."""
    if source == "real":
        pairs: Iterator[LandmarkPair] = open_pairs(SECTIONS, both_directions=False)
        for pair in pairs:
            yield pair.name, show(pair.fixed, pair.fixed_px), show(pair.moving, pair.moving_px)
        return
    for number in range(6):
        drawn = generate_pair(
            seed=100 + number,
            size_px=768,
            mpp=5.0,
            organ="any",
            moving_stain=STAINS[number % len(STAINS)],
        )
        fixed_px, moving_px = drawn.fixed_landmarks.points_px, drawn.moving_landmarks.points_px
        yield f"generated {number}", show(drawn.fixed, fixed_px), show(drawn.moving, moving_px)


def list_repeats() -> Iterator[tuple[str, Shown, Shown]]:
    """Yield pairs that fit in several places equally well."""
    for period_px in (40, 80, 130, 200):
        fixed, moving = (
            draw_stripes(period_px, offset, colour)
            for offset, colour in ((0, PURPLE), (period_px, BROWN))
        )
        yield f"stripes {period_px}", fixed, moving
    for shape in ("ellipse", "bar", "lens"):
        fixed, moving = (
            draw_symmetric(turn, colour, seed, shape)
            for turn, colour, seed in ((False, PURPLE, 1), (True, BROWN, 2))
        )
        yield f"symmetric {shape}", fixed, moving
    yield "cores", draw_cores(2, 3, 0, PURPLE), draw_cores(2, 3, 1, BROWN)


def run(name: str, fixed: Shown, moving: Shown, config: RegisterConfig) -> None:
    """Register one trial and print its line."""
    result = register_slides(hold(fixed), hold(moving), config)
    error = float("nan")
    if result.solution is not None:
        apart = result.warp_points(fixed.points, to="moving") - moving.points
        error = float(np.percentile(np.hypot(*apart.T), 90)) * 5.0 / result.tissue_um
    share = float("nan") if result.misfit is None else result.misfit.share
    print(f"{name:40s} {result.status:8s} misfit {share:.2f} error {error:.4f} {result.reason}")


def list_seams(kinds: list[str]) -> None:
    """Print how clearly each section of all pairs alone shows a seam."""
    seen = set()
    for source in ("real", "generated"):
        for name, *sides in list_pairs(source):
            for side, shown in zip(("fixed", "moving"), sides, strict=True):
                if shown.picture.tobytes() in seen:
                    continue
                seen.add(shown.picture.tobytes())
                for kind in kinds:
                    section = read_section(hold(KINDS[kind](shown)), SEAM_PX)
                    assert section is not None
                    print(f"{name:28s} {side:6s} {kind:10s} {section.seam:.2f}", flush=True)


def hold(shown: Shown) -> ArraySlide:
    """Return a section as a slide."""
    return ArraySlide(np.ascontiguousarray(np.moveaxis(shown.picture, -1, 0)), 5.0)


def main() -> None:
    """Run the trials of one source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=("real", "generated", "repeats", "seams"))
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    arguments = parser.parse_args()
    config = RegisterConfig.preset(arguments.preset)
    if arguments.source == "repeats":
        for name, fixed, moving in list_repeats():
            run(name, fixed, moving, config)
        return
    if arguments.source == "seams":
        list_seams(arguments.kinds)
        return
    for name, fixed, moving in list_pairs(arguments.source):
        for kind in arguments.kinds:
            sides = (KINDS[kind](fixed), moving)
            if kind != "twice-fixed":
                sides = (fixed, KINDS[kind](moving))
            run(f"{name} {kind}", *sides, config)


if __name__ == "__main__":
    main()
