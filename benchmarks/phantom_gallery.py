"""Draw the docs' gallery of generated tissue: organs, and every stain at three difficulties.

python benchmarks/phantom_gallery.py --out docs/images/phantom-gallery.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.pictures import Picture, render_rgb
from stainbridge.phantom.block import BlockConfig
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.patches import PatchConfig, Patches
from stainbridge.phantom.staining.contrast import RANDOM_STAIN
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.tissue.classes import CLASS_NAMES
from stainbridge.phantom.tissue.organs import ORGANS

#: Side of a cell, gap between cells and height of a title in pixels.
CELL_PX = 230
GAP_PX = 4
TITLE_PX = 20
#: Side of the slides in pixels.
SLIDE_PX = 2048
#: Their pixel size in µm.
MPP = 2.0
#: Pixel sizes in µm of the two close views.
NEAR_MPP = 1.6
NEAREST_MPP = 0.5
#: Which organ shows a stain well.
SHOWN_IN = {
    "HE": "gland",
    "PHH3": "carcinoma",
    "HER2": "carcinoma",
    "ER": "breast",
    "PAS": "kidney",
    "CD31": "lung",
}
SHOWN_IN |= {"Ki67": "lymph node", "Masson": "kidney", "DAPI": "lymph node"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=82)
    options = parser.parse_args()
    organs = [draw_row(name, organ_cells(name)) for name in ORGANS]
    stains = [draw_row(name, stain_cells(name, number)) for number, name in enumerate(STAINS)]
    rows = [*organs, *stains, draw_row("random contrasts", random_contrast_cells())]
    half = -(-len(rows) // 2)
    columns = [np.concatenate(part) for part in (rows[:half], rows[half:])]
    height = max(len(column) for column in columns)
    picture = np.concatenate(
        [np.pad(c, ((0, height - len(c)), (0, 0), (0, 0)), constant_values=255) for c in columns], 1
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture).save(options.out, quality=options.quality, optimize=True)
    size_mb = options.out.stat().st_size / 1e6
    print(f"{options.out}: {picture.shape[1]} x {picture.shape[0]}, {size_mb:.2f} MB")


def organ_cells(organ: str) -> list[tuple[str, Picture]]:
    """Draw an organ's H&E: the section, then two close views."""
    slide = generate_pair(
        seed=3,
        size_px=SLIDE_PX,
        mpp=MPP,
        organ=organ,
        fixed_stain="HE",
        difficulty="easy",
        landmarks=0,
    ).fixed
    near = find_busiest_place(slide, 2 * CELL_PX * NEAR_MPP)
    nearest = find_busiest_place(slide, CELL_PX * NEAREST_MPP)
    return [
        ("", render_rgb(slide.read(slide.frame.fit(CELL_PX)))),
        ("", render_rgb(slide.read(window(slide, near, NEAR_MPP, 2 * CELL_PX + GAP_PX)))),
        ("", render_rgb(slide.read(window(slide, nearest, NEAREST_MPP, CELL_PX)))),
    ]


def stain_cells(stain: str, number: int) -> list[tuple[str, Picture]]:
    """Draw a stain at two difficulties, then two close views of the easy one."""
    organ = SHOWN_IN.get(stain, "gland")
    slides = {
        name: generate_pair(
            seed=seed,
            size_px=SLIDE_PX,
            mpp=MPP,
            organ=organ,
            moving_stain=stain,
            difficulty=name,
            landmarks=0,
        ).moving
        for name, seed in (("easy", 3), ("real", 10 + number), ("hard", 30 + number))
    }
    cells = [
        (name, render_rgb(slide.read(slide.frame.fit(CELL_PX))))
        for name, slide in list(slides.items())[1:]
    ]
    slide = slides["easy"]
    for mpp in (NEAR_MPP, NEAREST_MPP):
        place = find_busiest_place(slide, CELL_PX * mpp)
        cells.append(("", render_rgb(slide.read(window(slide, place, mpp, CELL_PX)))))
    return cells


def random_contrast_cells() -> list[tuple[str, Picture]]:
    """Draw two pairs of patches in random contrasts."""
    config = PatchConfig(
        size_px=CELL_PX,
        pairs_per_block=1,
        block=BlockConfig(mpp=(1.2, 3.0), stains=(RANDOM_STAIN,)),
    )
    pairs = [Patches(config, seed=5)[number] for number in (1, 2)]
    return [
        ("", np.moveaxis(patch, 0, -1)) for pair in pairs for patch in (pair.fixed, pair.moving)
    ]


def find_busiest_place(slide: PhantomSlide, side_um: float) -> np.ndarray:
    """Return the middle, (2,) µm, of a window that shows many tissue classes evenly."""
    frame = slide.frame.fit(512)
    labels = slide.classes.read(frame).pixels[0]
    half = max(2, int(side_um / frame.mpp[0] / 2))
    rng = np.random.default_rng(4)
    centres = rng.integers(half, 512 - half, (400, 2))

    def variety(centre: np.ndarray) -> float:
        x, y = centre
        return _variety(labels[y - half : y + half, x - half : x + half])

    return max(centres, key=variety) * frame.mpp


def _variety(labels: np.ndarray) -> float:
    """Return the entropy of the classes.

    Glass and fat count against it; some lesion, which most stains mark, counts for it.
    """
    shares = np.bincount(labels.ravel(), minlength=len(CLASS_NAMES)) / labels.size
    share_of = dict(zip(CLASS_NAMES, shares, strict=True))
    entropy = float(-(shares[1:] * np.log(shares[1:] + 1e-9)).sum())
    return entropy - 3 * share_of["glass"] - share_of["fat"] + 2 * min(share_of["lesion"], 0.35)


def window(slide: PhantomSlide, middle_um: np.ndarray, mpp: float, width: int) -> Frame:
    """Return a cell's frame around a place of the slide, `width` pixels wide."""
    left, top = (np.floor(middle_um / mpp) - (width // 2, CELL_PX // 2)).astype(int).tolist()
    return slide.frame.at_mpp(mpp).crop(left, top, width, CELL_PX)


def draw_row(title: str, cells: list[tuple[str, Picture]]) -> Picture:
    """Draw pictures side by side under a title."""
    font = PIL.ImageFont.load_default(size=15)
    width = 4 * CELL_PX + 5 * GAP_PX
    canvas = PIL.Image.new("RGB", (width, TITLE_PX + CELL_PX + GAP_PX), "white")
    draw = PIL.ImageDraw.Draw(canvas)
    draw.text((GAP_PX, 1), title, "black", font)
    left = GAP_PX
    for name, picture in cells:
        canvas.paste(PIL.Image.fromarray(picture), (left, TITLE_PX))
        if name:
            draw.text((left + CELL_PX - 40, 1), name, "#555", font)
        left += picture.shape[1] + GAP_PX
    return np.asarray(canvas)


if __name__ == "__main__":
    main()
