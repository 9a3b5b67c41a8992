"""Pictures of one case: the slides as each translation shows them, and every method's overlay.

They are kept picture by picture, so that methods and translations can be added later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.evaluate.picture_grid import (
    GridLine,
    join_pictures,
    read_picture,
    write_grid,
    write_picture,
)
from stainbridge.evaluate.row import slug
from stainbridge.evaluate.synthesis.scene import Scene
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.pictures import Picture, display_density, overlay, render_rgb
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

#: Side in pixels of the square that a picture stands in.
CELL_PX = 224
#: What the first two columns are called; the others are methods.
SLIDES = ("fixed", "moving")


@dataclass(frozen=True, eq=False)
class ScenePictures:
    """The pictures of a case as one translation shows it."""

    folder: Path
    """Where they are kept."""
    key: tuple[str, str, str]
    """Data set, case and translation."""

    @property
    def has_slides(self) -> bool:
        """Whether the pictures of both slides are there."""
        return all(self._find(column).is_file() for column in SLIDES)

    def holds(self, method: str) -> bool:
        """Return whether the slides' pictures and a method's overlay are there."""
        return self.has_slides and self._find(method).is_file()

    def draw(self, scene: Scene, method: str, transform: Transform | None) -> None:
        """Draw both slides as they are seen, and a method's overlay; without a transform none."""
        self.folder.mkdir(exist_ok=True)
        for column, slide in zip(SLIDES, scene.seen, strict=True):
            if not self._find(column).is_file():
                picture = render_rgb(slide.read(slide.frame.fit(CELL_PX)))
                write_picture(self._find(column), centre_in_cell(picture))
        picture = _blank() if transform is None else draw_overlay(*scene.seen, transform)
        write_picture(self._find(method), centre_in_cell(picture))

    def join(self, methods: Sequence[str]) -> GridLine:
        """Return the line of the grid; a method without a picture has an empty cell."""
        paths = [self._find(column) for column in (*SLIDES, *methods)]
        cells = [read_picture(path) if path.is_file() else _blank() for path in paths]
        return GridLine(self.key[-1], join_pictures(cells))

    def _find(self, column: str) -> Path:
        return self.folder / f"{slug((*self.key, column))}.png"


def draw_overlay(fixed: Slide, moving: Slide, moving_from_fixed: Transform) -> Picture:
    """Return both tissues, fixed magenta and moving green; see `imaging.pictures.overlay`."""
    frame = fixed.frame.fit(CELL_PX)
    warped = WarpedSlide(moving, moving_from_fixed).read(frame)
    return overlay(display_density(fixed.read(frame)), display_density(warped))


def centre_in_cell(picture: Picture) -> Picture:
    """Return a picture in the middle of a white square, (CELL_PX, CELL_PX, 3)."""
    height, width = picture.shape[:2]
    top = (CELL_PX - height) // 2
    left = (CELL_PX - width) // 2
    cell = _blank()
    cell[top : top + height, left : left + width] = picture
    return cell


def write_overlays(path: Path, pictures: Sequence[ScenePictures], methods: Sequence[str]) -> None:
    """Write a line for each translation of a case: slides as seen, and every method's overlay."""
    write_grid(path, [each.join(methods) for each in pictures], (*SLIDES, *methods))


def _blank() -> Picture:
    return np.full((CELL_PX, CELL_PX, 3), 255, np.uint8)
