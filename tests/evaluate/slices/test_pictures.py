from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
from tests.evaluate.slices.slices import HEIGHT, WIDTH, make_scene, true_shift

from stainbridge.evaluate.picture_grid import GAP_PX, NAMES_PX
from stainbridge.evaluate.slices.pictures import (
    COLUMNS,
    GRID_LINES,
    OUTLINE_COLOUR,
    Strip,
    draw_field,
    draw_outlines,
    find_outlines,
    write_method_grid,
    write_strip,
)
from stainbridge.geometry.transform import Affine


def cut_strip(path: Path) -> list[np.ndarray]:
    """The pictures of a strip."""
    pixels = np.asarray(PIL.Image.open(path))
    assert pixels.shape == (HEIGHT, (WIDTH + GAP_PX) * len(COLUMNS), 3)
    return [pixels[:, n * (WIDTH + GAP_PX) :][:, :WIDTH] for n in range(len(COLUMNS))]


def test_a_strip_shows_the_warped_slide_on_the_target(tmp_path: Path) -> None:
    scene = make_scene()
    made = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    write_strip(tmp_path / "a.png", scene, true_shift(scene), made)
    moving, synthesised, warped, target, _ = cut_strip(tmp_path / "a.png")
    assert abs(int(synthesised[30, 30, 0]) - 127) <= 1
    tissue = find_outlines(scene, scene.fixed.frame)
    assert (warped[tissue] == OUTLINE_COLOUR).all()
    assert (target[tissue] == OUTLINE_COLOUR).all()
    inverted = np.corrcoef(warped[25:40, 20:28, 0].ravel(), target[25:40, 20:28, 0].ravel())[0, 1]
    apart = np.corrcoef(moving[25:40, 20:28, 0].ravel(), target[25:40, 20:28, 0].ravel())[0, 1]
    assert inverted < -0.95 < apart


def test_what_a_failed_method_lacks_is_left_out(tmp_path: Path) -> None:
    write_strip(tmp_path / "a.png", make_scene(), None, None)
    _, synthesised, warped, target, field = cut_strip(tmp_path / "a.png")
    for picture in (synthesised, warped, field):
        assert np.ptp(picture) == 0
    assert np.ptp(target) > 0


def test_the_field_is_a_square_grid_where_nothing_moves() -> None:
    scene = make_scene()
    picture = draw_field(scene.placement, scene.fixed.frame)
    step = WIDTH // GRID_LINES
    np.testing.assert_array_equal(picture[:, step:], picture[:, :-step])
    np.testing.assert_array_equal(picture[step:], picture[:-step])
    turned = np.array([[0.8, -0.6, 30], [0.6, 0.8, -10], [0, 0, 1.0]])
    rotation = Affine(turned, scene.fixed.frame.space, scene.moving.frame.space)
    assert (draw_field(rotation, scene.fixed.frame) != picture).any()


def test_outlines_are_the_mask_where_there_are_no_labels() -> None:
    scene = make_scene()
    frame = scene.fixed.frame
    of_labels = find_outlines(scene, frame)
    of_mask = find_outlines(replace(scene, labels=None), frame)
    assert of_mask.sum() < of_labels.sum()
    assert of_labels[of_mask].all()
    assert not find_outlines(replace(scene, labels=None, masks=(None, None)), frame).any()
    drawn = draw_outlines(np.zeros((HEIGHT, WIDTH, 3), np.uint8), of_mask)
    assert (drawn.any(-1) == of_mask).all()


def test_the_grid_has_a_line_for_each_method(tmp_path: Path) -> None:
    scene = make_scene()
    strips = [Strip(name, tmp_path / f"{name}.png") for name in ("one", "two")]
    write_strip(strips[0].path, scene, true_shift(scene), None)
    write_strip(strips[1].path, scene, None, None)
    write_method_grid(tmp_path / "grid.png", strips)
    with PIL.Image.open(tmp_path / "grid.png") as grid:
        assert grid.width == NAMES_PX + (WIDTH + GAP_PX) * len(COLUMNS)
        assert grid.height > 2 * HEIGHT
