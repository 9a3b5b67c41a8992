"""A trained translation applied to a whole slide, which stays lazy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.nn.generators import Generator
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.inference import (
    Device,
    Inference,
    Precision,
    device_named,
    halving,
    memory_watched,
)
from stainbridge.translation.inference.model import Model
from stainbridge.translation.inference.network_slide import Made, NetworkSlide
from stainbridge.translation.inference.parts import Parts
from stainbridge.translation.inference.slide_statistics import normalises_tiles, with_statistics_of
from stainbridge.translation.inference.tiling import TileAxis, exact_tile
from stainbridge.translation.inference.tissue_map import TissueMap, tissue_tiles
from stainbridge.translation.training.augment import scaled, with_channels

#: A stored level is used as it is when its pixels are the wanted ones to this share.
SAME_MPP = 0.1
#: A slide whose finest pixels are so many times the trained ones is at another magnification.
COARSER = 1.25
#: Tiles of tissue, and their side, whose statistics stand for the slide's.
SAMPLED_TILES, SAMPLED_PX = 16, 256

Told = Callable[[str], None]


@dataclass(frozen=True)
class ApplyConfig:
    """How a network is applied: tiles of `tile_px` a side; `mpp` in place of the model's own, in
    µm.

    With `glass` what is not tissue is translated too; else it is white. `seed` draws the tiles that
    statistics of the slide are taken of.
    """

    tile_px: int = 1024
    device: Device = "auto"
    precision: Precision = "32"
    mpp: float | None = None
    glass: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mpp is not None and not self.mpp > 0:
            raise InputError("pixel size must be positive", expected="µm > 0", got=self.mpp)


def translated(
    slide: Slide,
    model: Model,
    config: ApplyConfig,
    told: Told,
    parts: Callable[[], Parts] | None = None,
) -> NetworkSlide:
    """`slide` as `model` translates it, at the model's pixel size; a `Slide` that computes what is
    read of it.

    Warnings go to `told`. Closing the result closes `slide`. Raises `InputError` for a slide of
    other channels, tiles that are too small, and `OutOfMemoryError`.
    """
    # Refused before anything is read.
    with_channels(
        np.zeros((len(slide.info.channels), 1, 1), slide.info.dtype),
        model.source_channels,
        slide.info.path,
    )
    frame = working_frame(slide, model.mpp, config.mpp, told)
    network = model.generator
    tiles = tiles_of(frame, config.tile_px, network.reach, network.period, told)
    tissue = TissueMap.of(slide)
    device = device_named(config.device)
    network = _with_own_statistics(
        model, network.to(device), slide, frame, tissue, config.seed, told
    )
    made = Made("translated", model.target_channels, model.target)
    run = Inference(network, model.source_channels, device, config.precision)
    kept = parts() if parts else None
    return NetworkSlide(slide, frame, run, tiles, made, None if config.glass else tissue, kept)


def for_slide(model: Model, slide: Slide, seed: int, told: Told) -> Generator:
    """The generator as `translated` uses it on `slide`, on the device where it is."""
    frame = working_frame(slide, model.mpp, None, told)
    return _with_own_statistics(
        model, model.generator, slide, frame, TissueMap.of(slide), seed, told
    )


def tiles_of(
    frame: Frame, tile_px: int, reach: int, period: int, told: Told
) -> tuple[TileAxis, TileAxis]:
    """Tiles down and across `frame` for a network; says so where they cannot fit together exactly."""
    down, across = (
        TileAxis.of(length, tile_px, reach, period) for length in (frame.height, frame.width)
    )
    exact = exact_tile(reach, period)
    if tile_px < min(exact, max(frame.height, frame.width)):
        told(
            f"note: the network reaches {reach} px; tiles of {exact} px or more would fit together exactly (--tile)"
        )
    return down, across


def working_frame(slide: Slide, trained: float | None, wanted: float | None, told: Told) -> Frame:
    """The grid to translate on: `wanted` µm a pixel, or as `trained`; a stored level where one is
    near enough.

    Says to `told` where the slide and the model are at different magnifications, or cannot be
    compared.
    """
    own = slide.frame
    if wanted is None and (trained is None or not own.calibrated):
        whose = (
            "the model does not say at what pixel size it was trained"
            if trained is None
            else _unknown(trained)
        )
        told(f"warning: {whose}; the slide's full resolution is used")
        return own
    mpp = wanted or trained or own.mpp[0]
    if trained is not None and not 1 / COARSER <= mpp / trained <= COARSER:
        told(
            f"warning: the model was trained at {trained:.4g} µm a pixel and is applied at {mpp:.4g}"
        )
    if own.mpp[0] > COARSER * mpp:
        told(
            f"warning: the slide is at another magnification: its pixels are {own.mpp[0]:.4g} µm, "
            f"wanted are {mpp:.4g}; enlarged, they show no more than they hold (--mpp translates at another pixel size)"
        )
    near = [
        level for level in slide.levels if max(abs(have / mpp - 1) for have in level.mpp) < SAME_MPP
    ]
    return near[0] if near else own.at_mpp(mpp)


def plan_of(config: ApplyConfig, *files: Path, **more: object) -> Mapping[str, Any]:
    """What a kept tile depends on, as plain values: how, of which files as they are now, and what
    else.
    """
    return {
        "files": [
            (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files
        ],
        "version": version("stainbridge"),
        **{key: value for key, value in asdict(config).items() if key != "device"},
        **more,
    }


def _unknown(trained: float) -> str:
    return f"the slide does not say its pixel size, and the model was trained at {trained:.4g} µm (--slide-mpp says it)"


def _with_own_statistics(
    model: Model,
    network: Generator,
    slide: Slide,
    frame: Frame,
    tissue: TissueMap,
    seed: int,
    told: Told,
) -> Generator:
    """The network with this slide's statistics, where it would otherwise take every tile's own.

    Of fewer tiles where memory does not hold more at once.
    """
    if not normalises_tiles(network):
        return network
    device = next(network.parameters()).device
    room = min(
        SAMPLED_PX, frame.height, frame.width
    )  # a tile beyond a small slide would be partly white
    side = max(1, room // network.period) * network.period

    def of(count: int) -> Generator:
        tiles = tissue_tiles(slide, frame, tissue, side, count, seed)
        with memory_watched(f"{len(tiles)} x {side} px"):
            shown = [
                scaled(with_channels(tile, model.source_channels, slide.info.path))
                for tile in tiles
            ]
            return with_statistics_of(network, torch.stack(shown).to(device))

    return halving(SAMPLED_TILES, 1, of, told, "statistics are of {} tiles")
