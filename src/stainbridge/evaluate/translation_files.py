"""What an evaluation of translations leaves: tables and a grid of pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw

from stainbridge.evaluate.translation import Comparison, MeanScores, ScoredPicture
from stainbridge.types import Pixels
from stainbridge.whole import whole_file

PICTURES_CSV, MEANS_CSV, GRID = "pictures.csv", "means.csv", "pictures.png"
#: The longest side of a picture in the grid, the gap between two, and the height of a line of
#: names.
SHOWN_PX, GAP_PX, NAME_PX = 256, 6, 16


def write_rows(
    path: Path, rows: Sequence[ScoredPicture | MeanScores], more: Mapping[str, Mapping[str, Any]]
) -> None:
    """A line a row, its scores as columns; `more` are further columns of a model's translations of
    all pictures.
    """
    lines = [_flat(row, more) for row in rows]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _flat(row: ScoredPicture | MeanScores, more: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    values = asdict(row)
    scores = {
        name: "" if np.isnan(value) else f"{value:.6g}"
        for name, value in values.pop("scores").items()
    }
    further = more.get(row.model, {}) if (row.way, row.level) == ("there", "all") else {}
    return {**values, **scores, **further}


def write_grid(path: Path, shown: Sequence[Comparison], source: str, target: str) -> None:
    """A PNG with a row a picture: the source, what each model made of it, and the real target;
    names above.

    What is the source itself is not shown again.
    """
    models = [name for name, made in shown[0].made.items() if made is not shown[0].pair.source]
    names = [source, *models, f"{target}, real"]
    rows = [
        [item.pair.source, *(item.made[name] for name in models), item.pair.target]
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
        draw.text((left, 2), name[: width // 6], fill="black")
        for row, line in enumerate(tiles):
            grid.paste(line[column], (left, NAME_PX + GAP_PX + row * (height + GAP_PX)))
    with whole_file(path) as temporary:
        grid.save(temporary)


def _thumbnail(pixels: Pixels) -> PIL.Image.Image:
    """The first three channels, or the first as grey."""
    coloured = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, axis=0)
    picture = PIL.Image.fromarray(np.ascontiguousarray(np.moveaxis(coloured, 0, -1), np.uint8))
    factor = (
        min(1.0, SHOWN_PX / max(picture.size))
        if max(picture.size) > SHOWN_PX
        else max(1, 128 // max(picture.size))
    )
    return picture.resize(
        (round(picture.width * factor), round(picture.height * factor)), PIL.Image.Resampling.BOX
    )
