"""Draw the docs' picture of a generated stack: fixed and moving slices, and tissue classes.

python benchmarks/phantom_stack_picture.py --out docs/images/phantom-stack.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from stainbridge.geometry.landmarks import Landmarks
from stainbridge.imaging.pictures import Picture
from stainbridge.phantom.slices.config import SliceStackConfig
from stainbridge.phantom.slices.rendered import render_sides
from stainbridge.phantom.slices.slice_pair import generate_slice
from stainbridge.phantom.tissue.classes import Labels

#: Which slices are shown.
NUMBERS = (0, 1, 2, 5, 10, 20)
#: Height of the titles, gap between slices and radius of a landmark's circle, in pixels.
TITLE_PX = 20
GAP_PX = 4
RADIUS_PX = 4
#: Colours of the classes, in their order; glass is white.
CLASS_COLOURS = (
    (255, 255, 255),
    (222, 196, 208),
    (190, 96, 120),
    (250, 226, 150),
    (150, 200, 120),
    (90, 140, 200),
    (60, 60, 130),
    (120, 200, 210),
    (220, 60, 50),
    (110, 110, 110),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", type=int, default=82)
    options = parser.parse_args()
    columns = [draw_column(number, options.seed) for number in NUMBERS]
    picture = np.concatenate(columns, axis=1)
    PIL.Image.fromarray(picture).save(options.out, quality=options.quality, optimize=True)
    size_mb = options.out.stat().st_size / 1e6
    print(f"{options.out}: {picture.shape[1]} x {picture.shape[0]}, {size_mb:.2f} MB")


def draw_column(number: int, seed: int) -> Picture:
    """Draw one slice: fixed, moving, and the classes of the fixed one."""
    pair = generate_slice(SliceStackConfig(), number, seed)
    fixed, moving = render_sides(pair)
    cells = (
        draw_landmarks(np.moveaxis(fixed.picture, 0, -1), pair.fixed_landmarks),
        draw_landmarks(np.moveaxis(moving.picture, 0, -1), pair.moving_landmarks),
        colour_classes(fixed.labels),
    )
    height, width = fixed.labels.shape
    canvas = PIL.Image.new("RGB", (width + GAP_PX, TITLE_PX + 3 * (height + GAP_PX)), "white")
    draw = PIL.ImageDraw.Draw(canvas)
    draw.text((GAP_PX, 1), pair.name, "black", PIL.ImageFont.load_default(size=15))
    for row, cell in enumerate(cells):
        canvas.paste(PIL.Image.fromarray(cell), (0, TITLE_PX + row * (height + GAP_PX)))
    return np.asarray(canvas)


def draw_landmarks(picture: Picture, landmarks: Landmarks) -> Picture:
    """Draw circles around landmarks."""
    canvas = PIL.Image.fromarray(np.ascontiguousarray(picture))
    draw = PIL.ImageDraw.Draw(canvas)
    for x, y in landmarks.points_px:
        box = (x - RADIUS_PX, y - RADIUS_PX, x + RADIUS_PX, y + RADIUS_PX)
        draw.ellipse(box, outline=(0, 60, 255))
    return np.asarray(canvas)


def colour_classes(labels: Labels) -> Picture:
    """Return each class in its colour."""
    return np.array(CLASS_COLOURS, np.uint8)[labels]


if __name__ == "__main__":
    main()
