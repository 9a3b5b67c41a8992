"""A field blended of tiles is the field of the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tests.nn.networks import TINY, build_active_network, smooth_pictures
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.registration.stages.blending import TilingConfig, blend_tiles

HEIGHT, WIDTH = 330, 420
#: Height and width of a picture, and tiles that are at least twice as long as what they share.
SIZES = {
    "multiscale-fcn": (400, 1200, 832),
    "fcn": (330, 420, 192),
    "dirnet": (420, 520, 320),
    "unet-svf": (330, 420, 192),
    "unet-svf, correlating": (500, 640, 320),
    "multiscale-fcn, correlating": (400, 1520, 1152),
    "flownet-s": (420, 700, 416),
}
VIEW = Frame(Space("fixed", HEIGHT, WIDTH, (2.0, 2.0)), HEIGHT, WIDTH, (2.0, 2.0), (100.0, 40.0))


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of two pictures that lie on `VIEW`; zeros outside."""

    whole: tuple[Tensor, Tensor]
    frames: list[Frame]
    """The frames that were read."""

    def __call__(self, frame: Frame) -> tuple[Tensor, Tensor]:
        self.frames.append(frame)
        x, y = ((o - v) / 2.0 for o, v in zip(frame.origin_um, VIEW.origin_um, strict=True))
        rows = slice(round(y), round(y) + frame.height)
        columns = slice(round(x), round(x) + frame.width)
        fixed, moving = (
            torch.nn.functional.pad(picture, (0, 900, 0, 900)) for picture in self.whole
        )
        return fixed[..., rows, columns], moving[..., rows, columns]


@pytest.mark.parametrize("name", list(TINY))
def test_tiled_is_the_whole_within_a_tenth_of_a_pixel(name: str) -> None:
    network = build_active_network(TINY[name])
    height, width, tile = SIZES[name]
    assert 2 * (2 * network.reach + 32) <= tile
    pictures = Crops(smooth_pictures(height, width), [])
    view = replace(VIEW, height=height, width=width)
    whole, grid = blend_tiles(network, pictures, view, TilingConfig(2048, 32, 2))
    assert len(pictures.frames) == 1
    assert np.abs(whole).max() > 2.0  # more than a pixel of 2 µm
    tiled, tiled_grid = blend_tiles(network, pictures, view, TilingConfig(tile, 32, 2))
    assert len(pictures.frames) >= 1 + 2
    assert grid.mpp == tiled_grid.mpp == (4.0, 4.0)
    assert grid.origin_um == tiled_grid.origin_um == VIEW.origin_um
    rows = slice(0, (height - network.reach) // 2)
    columns = slice(0, (width - network.reach) // 2)
    difference = whole[:, rows, columns] - tiled[:, rows, columns]
    assert np.abs(difference).max() / 2.0 < 0.1


class CountingNetwork(DeformableNet):
    """The field of every tile is the number of the call."""

    period = 8
    reach = 16

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        self.calls += 1
        field = torch.full((1, 2, *fixed.shape[-2:]), float(self.calls))
        return Fields(field, (Term(field),))


def test_neighbouring_tiles_are_blended_without_a_jump() -> None:
    pictures = Crops(smooth_pictures(HEIGHT, WIDTH), [])
    field, grid = blend_tiles(CountingNetwork(), pictures, VIEW, TilingConfig(128, 32, 4))
    assert field.shape == (2, grid.height, grid.width)
    assert np.abs(np.diff(field[0], axis=1)).max() <= 1.01 * 4 * 2.0 / (32 / 4)
    assert field.min() == 2.0


def test_blank_tiles_cost_one_call() -> None:
    network = CountingNetwork()
    blank = torch.zeros(1, 1, HEIGHT, WIDTH)
    blobs = blank.clone()
    blobs[..., 10:50, 10:50] = 1.0
    blend_tiles(network, Crops((blobs, blank), []), VIEW, TilingConfig(128, 32, 4))
    assert network.calls == 2


@pytest.mark.parametrize("wrong", [(128, 100, 4), (128, 0, 4), (128, 32, 5), (128, 32, 0)])
def test_impossible_tilings_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(InputError):
        TilingConfig(*wrong)
