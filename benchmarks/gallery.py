"""Draw the gallery of docs/gallery.md: pairs before and after registration, failures too.

    python benchmarks/gallery.py

A picture shows the fixed section, the moving one, both before (corner on corner) and both after.
The page says what the verdict is and how far off the landmarks truly are. All tissue is generated,
so the error is known exactly.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image

import stainbridge
from stainbridge.imaging.pictures import display_density, overlay

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "images" / "gallery"
SIDE_PX = 240
SIZE_PX = 1024
MPP = 4.0
BEGIN, END = "<!-- pairs: begin -->", "<!-- pairs: end -->"

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """Two generated sections; `other_seed` takes the moving one from another block of tissue."""

    title: str
    stain: str
    organ: str
    seed: int
    difficulty: str = "real"
    other_seed: int | None = None
    half: bool = False


PAIRS = (
    Pair("Gland, H&E and Ki67", "Ki67", "gland", 3),
    Pair("Kidney, H&E and PanCK", "PanCK", "kidney", 4),
    Pair("Lung, H&E and CD31", "CD31", "lung", 5),
    Pair("Breast, H&E and HER2", "HER2", "breast", 6),
    Pair("Lymph node, H&E and PHH3", "PHH3", "lymph node", 7),
    Pair("Carcinoma, H&E and ER", "ER", "carcinoma", 8),
    Pair("Gland, H&E and Masson", "Masson", "gland", 9),
    Pair("Kidney, H&E and PAS, difficulty hard", "PAS", "kidney", 10, "hard"),
    Pair("Two blocks of tissue that do not belong together", "Ki67", "gland", 3, other_seed=11),
    Pair("A whole section and half of its neighbour", "PanCK", "kidney", 4, half=True),
)


def read(slide: stainbridge.Slide) -> Picture:
    """Return a slide at the gallery's size, (H, W, 3)."""
    return np.moveaxis(slide.read(slide.frame.fit(SIDE_PX)).pixels, 0, -1)


def cut_half(slide: stainbridge.Slide) -> stainbridge.Slide:
    """Return the left half of a slide's tissue, the rest being bare glass."""
    pixels = slide.read(slide.frame).pixels.copy()
    pixels[:, :, pixels.shape[2] // 2 :] = 245
    return stainbridge.as_slide(pixels, mpp=MPP)


def draw(pair: Pair) -> tuple[Picture, str]:
    """Return the picture of a pair, and its line of the table."""
    kinds = {"size_px": SIZE_PX, "mpp": MPP, "organ": pair.organ, "difficulty": pair.difficulty}
    truth = stainbridge.generate_pair(seed=pair.seed, moving_stain=pair.stain, **kinds)
    moving = truth.moving
    if pair.other_seed is not None:
        moving = stainbridge.generate_pair(
            seed=pair.other_seed, moving_stain=pair.stain, **kinds
        ).moving
    if pair.half:
        moving = cut_half(moving)
    registration = stainbridge.register(truth.fixed, moving, "default", seed=0, threads=1)
    before = overlay(
        *(display_density(slide.read(slide.frame.fit(SIDE_PX))) for slide in (truth.fixed, moving))
    )
    failed = registration.status == "failed"
    after = np.full_like(before, 255) if failed else registration.overlay(SIDE_PX)
    error = "–"
    if not failed:
        scores = stainbridge.score_landmarks(
            registration, truth.fixed_landmarks, truth.moving_landmarks
        )
        error = f"{scores.after.rtre.median:.2%}"
    predicted = "–" if failed else f"{registration.predicted_rtre:.2%}"
    line = f"| {pair.title} | `{registration.status}` | {predicted} | {error} |"
    return np.hstack([read(truth.fixed), read(moving), before, after]), line


def write_rows(pairs: tuple[Pair, ...]) -> Iterator[tuple[str, str]]:
    """Write the pictures; yield the line and the figure of each pair."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, pair in enumerate(pairs, 1):
        picture, line = draw(pair)
        name = f"{number:02d}.jpg"
        PIL.Image.fromarray(picture).save(PICTURES / name, quality=80, optimize=True)
        print(line, flush=True)
        caption = f"{pair.title}: fixed, moving, before, after"
        yield line, f"### {pair.title}\n\n![{caption}](images/gallery/{name})\n"


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    lines, figures = zip(*write_rows(PAIRS), strict=True)
    head = ["| pair | status | expected error | true error |", "| --- | --- | --- | --- |"]
    table = "\n".join([*head, *lines])
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    body = f"{BEGIN}\n\n{table}\n\n" + "\n".join(figures) + f"\n{END}"
    PAGE.write_text(before + body + after, encoding="utf-8")


if __name__ == "__main__":
    main()
