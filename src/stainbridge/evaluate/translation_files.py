"""Write what an evaluation of translations leaves: tables and a grid of pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw

from stainbridge.evaluate.translation import (
    ALL,
    FORWARD,
    Comparison,
    MeanScores,
    ScoredPicture,
    TranslationScores,
)
from stainbridge.evaluate.translation_shifts import ShiftScores
from stainbridge.types import Pixels
from stainbridge.whole import whole_file

#: The table of all tiles, the table of means, and the grid of pictures.
PICTURES_CSV = "pictures.csv"
MEANS_CSV = "means.csv"
GRID = "pictures.png"
#: The scores of shifted targets, as a table and as a picture.
SHIFTS_CSV = "shifts.csv"
SHIFTS_PICTURE = "shifts.svg"
#: Pixels along the longer side of a picture in the grid, at most.
SHOWN_PX = 256
#: Pixels along the longer side that small pictures are enlarged to, where a whole factor does it.
ENLARGED_PX = 128
#: Pixels between two pictures.
GAP_PX = 6
#: Height in pixels of the line of names.
NAME_PX = 16
#: Width in pixels of a letter of these names.
LETTER_PX = 6


def write_rows(
    path: Path,
    rows: Sequence[ScoredPicture | MeanScores],
    extra_columns: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write a line a row, its scores as columns.

    `extra_columns` are further columns, by model, of the mean over its translations of all tiles.
    """
    _write_lines(path, [_line(row, extra_columns) for row in rows])


def write_shifts(path: Path, curve: Sequence[ShiftScores]) -> None:
    """Write a line a shift, the scores of the shifted target as columns."""
    _write_lines(path, [{"shift_px": point.shift_px, **_cells(point.scores)} for point in curve])


def _write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _line(
    row: ScoredPicture | MeanScores, extra_columns: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    values = asdict(row)
    del values["scores"]
    is_mean_over_all = (row.direction, row.level) == (FORWARD, ALL)
    extra = extra_columns.get(row.model, {}) if is_mean_over_all else {}
    return {**values, **_cells(row.scores), **extra}


def _cells(scores: TranslationScores) -> dict[str, str]:
    """Return the scores by name as text; nothing for nan."""
    return {
        name: "" if np.isnan(value) else f"{value:.6g}" for name, value in asdict(scores).items()
    }


def write_grid(path: Path, shown: Sequence[Comparison], source: str, target: str) -> None:
    """Write a PNG with a row a tile: the source, its translations, and the real target.

    The names stand above. A translation that is the source itself is not shown again.
    """
    first = shown[0]
    models = [
        name for name, pixels in first.translations.items() if pixels is not first.pair.source
    ]
    names = [source, *models, f"{target}, real"]
    rows = [
        [item.pair.source, *(item.translations[name] for name in models), item.pair.target]
        for item in shown
    ]
    tiles = [[_thumbnail(pixels) for pixels in row] for row in rows]
    width, height = (max(tile.size[axis] for row in tiles for tile in row) for axis in (0, 1))
    size = (
        (width + GAP_PX) * len(names) + GAP_PX,
        (height + GAP_PX) * len(tiles) + NAME_PX + GAP_PX,
    )
    grid = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(grid)
    for column, name in enumerate(names):
        left = GAP_PX + column * (width + GAP_PX)
        draw.text((left, 2), name[: width // LETTER_PX], fill="black")
        for row, line in enumerate(tiles):
            grid.paste(line[column], (left, NAME_PX + GAP_PX + row * (height + GAP_PX)))
    with whole_file(path) as temporary:
        grid.save(temporary)


def _thumbnail(pixels: Pixels) -> PIL.Image.Image:
    """Return the first three channels, or the first one as grey, at a size to look at."""
    coloured = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, axis=0)
    picture = PIL.Image.fromarray(np.ascontiguousarray(np.moveaxis(coloured, 0, -1), np.uint8))
    longest = max(picture.size)
    factor = SHOWN_PX / longest if longest > SHOWN_PX else max(1, ENLARGED_PX // longest)
    return picture.resize(
        (round(picture.width * factor), round(picture.height * factor)), PIL.Image.Resampling.BOX
    )
