"""Pictures of a comparison in one file: a named line for each of the compared, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

from stainbridge.imaging.pictures import Picture
from stainbridge.whole import whole_file

#: Pixels between two pictures.
GAP_PX = 6
#: Height in pixels of a line of words.
WORDS_PX = 16
#: Width in pixels of the column of names.
NAMES_PX = 120


@dataclass(frozen=True, eq=False)
class GridLine:
    """A line of the grid."""

    name: str
    """What stands before it."""
    pictures: Picture
    """Its pictures side by side, all of one width, (H, W, 3); see `join_pictures`."""


def join_pictures(pictures: Sequence[Picture]) -> Picture:
    """Return pictures of one size side by side, each with a white gap after it, (H, W, 3)."""
    gap = np.full((len(pictures[0]), GAP_PX, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)], axis=1)


def read_picture(path: Path) -> Picture:
    """Read a picture file as RGB, (H, W, 3)."""
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture file that appears whole."""
    with whole_file(path) as temporary:
        PIL.Image.fromarray(picture).save(temporary)


def write_grid(path: Path, lines: Sequence[GridLine], columns: Sequence[str]) -> None:
    """Write lines below each other, with their names and those of their equally wide columns."""
    width = max(line.pictures.shape[1] for line in lines)
    height = max(line.pictures.shape[0] for line in lines) + GAP_PX
    size = (NAMES_PX + width, WORDS_PX + GAP_PX + height * len(lines))
    grid = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(grid)
    for column, name in enumerate(columns):
        draw.text((NAMES_PX + column * width // len(columns), 3), name, fill="black")
    for number, line in enumerate(lines):
        top = WORDS_PX + GAP_PX + number * height
        draw.text((GAP_PX, top), line.name, fill="black")
        grid.paste(PIL.Image.fromarray(line.pictures), (NAMES_PX, top))
    write_picture(path, np.asarray(grid))
