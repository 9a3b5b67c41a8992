"""Register generated slides of several pieces: each piece's error, and a picture of one pair.

Example: python benchmarks/pieces.py --seeds 2 3 --size 768 --picture docs/images/pieces.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from stainbridge.api import register
from stainbridge.phantom.pairs.fragment_pair import FragmentPair, generate_fragments
from stainbridge.registration.result import Registration

#: Side of the slides in µm.
SIDE_UM = 4096.0
#: Colours of pieces with a partner, (r, g, b), in turn; pieces without one are grey.
COLOURS = (
    (214, 39, 40),
    (31, 119, 180),
    (44, 160, 44),
    (148, 103, 189),
    (255, 127, 14),
    (23, 190, 207),
)
ALONE = (120, 120, 120)


def main() -> None:
    """Register one pair a seed, and print the error of each piece over its diameter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2])
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--arrangement", default="fragments")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        pair = generate_fragments(
            seed=seed,
            arrangement=arguments.arrangement,
            size_px=arguments.size,
            mpp=SIDE_UM / arguments.size,
        )
        registration = register(pair.fixed, pair.moving, arguments.preset)
        print(f"seed {seed}: {registration.status}, {registration.reason}")
        if registration.status != "failed":
            for name, error in measure_errors(pair, registration).items():
                print(f"  {name}: {error:.4f} of its diameter")
            if arguments.picture:
                picture = draw_pieces(pair, registration)
                cv2.imwrite(str(arguments.picture), picture[..., ::-1])


def measure_errors(pair: FragmentPair, registration: Registration) -> dict[str, float]:
    """Return the median landmark error of each piece over its diameter, by its name."""
    found = registration.transform(pair.fixed_landmarks.points_um)
    error_um = np.hypot(*(found - pair.moving_landmarks.points_um).T)
    names = np.array([label.split(":")[0] for label in pair.fixed_landmarks.labels])
    return {
        item.name: float(np.median(error_um[names == item.name])) / (2 * item.cut.radius_um)
        for item in pair.fixed.fragments
        if item.name in names
    }


def draw_pieces(pair: FragmentPair, registration: Registration) -> np.ndarray:
    """Return both slides and the warped moving one, side by side, pieces boxed by partner."""
    fixed, moving = (np.moveaxis(image.pixels, 0, -1).copy() for image in pair.read())
    with registration.warp_slide(pair.moving) as slide:
        warped = np.moveaxis(slide.read(slide.frame).pixels, 0, -1).copy()
    for number, piece in enumerate(registration.pieces):
        colour = ALONE if piece.partner is None else COLOURS[number % len(COLOURS)]
        own = (fixed, warped) if piece.side == "fixed" else (moving,)
        for picture in own:
            draw_box(picture, piece.box_px, colour)
        if piece.partner_box_px is not None:
            draw_box(moving, piece.partner_box_px, colour)
    return np.hstack([fixed, moving, warped])


def draw_box(picture: np.ndarray, box: tuple[float, ...], colour: tuple[int, int, int]) -> None:
    """Draw a box on a picture (H, W, 3)."""
    left, top, right, bottom = (round(value) for value in box)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, 3)


if __name__ == "__main__":
    main()
