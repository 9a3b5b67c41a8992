"""A trained translation applied to a whole slide, which stays lazy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import torch

from stainbridge.compute import DeviceChoice, Precision, choose_device
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.nn.generators import Generator
from stainbridge.progress import Note, ignore_note
from stainbridge.ranges import PixelSize, Seed, Within, check_ranges
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.inference import (
    Inference,
    catch_out_of_memory,
    halve_until_it_fits,
)
from stainbridge.translation.inference.model import Model, read_model
from stainbridge.translation.inference.network_slide import NetworkOutput, NetworkSlide
from stainbridge.translation.inference.slide_statistics import freeze_statistics, normalises_tiles
from stainbridge.translation.inference.tile_store import TileStore
from stainbridge.translation.inference.tiling import plan_tiles
from stainbridge.translation.inference.tissue_map import TissueMap, read_tissue_tiles
from stainbridge.translation.objectives.pixels import match_channels, pixels_to_tensor

#: A stored level is used as it is where its pixel size differs by less than this share.
SAME_MPP_SHARE = 0.1
#: From this ratio of pixel sizes on, slide and model are at different magnifications.
MAGNIFICATION_RATIO = 1.25
#: Tiles of tissue whose statistics stand for the slide's.
SAMPLED_TILES = 16
#: Side of these tiles, in pixels.
SAMPLED_PX = 256

#: Opens the folder that keeps a slide's finished tiles.
OpenStore = Callable[[], TileStore]


@dataclass(frozen=True)
class ApplyConfig:
    """How a network is applied to a slide."""

    tile_px: Annotated[int, Within(16, 16384)] = 1024
    """Side of the tiles that the network is shown, in pixels."""
    device: DeviceChoice = "auto"
    """Where to compute."""
    precision: Precision = "32"
    """Precision of the computation; bf16 and 16 are faster and differ by a few grey levels."""
    mpp: PixelSize | None = None
    """Pixel size to work at, in µm; None takes the one that the model was trained at."""
    glass: bool = False
    """Whether glass is translated too; else it becomes white."""
    seed: Seed = 0
    """Draws the tiles of tissue that the slide's statistics are taken from."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise InputError("no such precision", expected=known, got=self.precision)


def translate_slide(
    slide: Slide,
    model: Model,
    config: ApplyConfig,
    note: Note = ignore_note,
    open_store: OpenStore | None = None,
) -> NetworkSlide:
    """Return `slide` as `model` translates it: a `Slide` that computes what is read of it.

    It is at the model's pixel size. Closing it closes `slide`. It pickles as `slide`, the path of
    the model's weights and `config`. `note` is told warnings. Raises `InputError` for a slide of
    other channels and tiles that are too small, and `OutOfMemoryError`.
    """
    check_channels(slide, model.source_channels)
    frame = choose_frame(slide, model.mpp, config.mpp, note)
    network = model.generator
    grid = plan_tiles(frame, config.tile_px, network.reach, network.period, note)
    tissue = TissueMap.of_slide(slide)
    device = torch.device(choose_device(config.device))
    network = _freeze_for_slide(model, network.to(device), slide, frame, tissue, config.seed, note)
    return NetworkSlide(
        slide,
        frame,
        Inference(network, model.source_channels, device, config.precision),
        grid,
        NetworkOutput("translated", model.target_channels, model.target),
        None if config.glass else tissue,
        open_store() if open_store else None,
        partial(_translate_again, slide, model.path, model.is_reversed, config, open_store),
    )


def adapt_to_slide(model: Model, slide: Slide, seed: int, note: Note) -> Generator:
    """Return the generator as `translate_slide` uses it on `slide`, on the device where it is."""
    frame = choose_frame(slide, model.mpp, None, note)
    tissue = TissueMap.of_slide(slide)
    return _freeze_for_slide(model, model.generator, slide, frame, tissue, seed, note)


def check_channels(slide: Slide, channels: int) -> None:
    """Raise `InputError` for a slide that a network of `channels` cannot be shown."""
    pixel = np.zeros((len(slide.info.channels), 1, 1), slide.info.dtype)
    match_channels(pixel, channels, slide.info.path)


def choose_frame(slide: Slide, trained: float | None, wanted: float | None, note: Note) -> Frame:
    """Return the grid to translate on: at `wanted` µm a pixel, or as `trained`.

    A stored level that is near enough is taken as it is. `note` is told where slide and model are
    at different magnifications, or cannot be compared.
    """
    own = slide.frame
    if wanted is None and (trained is None or not own.calibrated):
        note(f"warning: {_describe_missing_size(trained)}; the slide's full resolution is used")
        return own
    mpp = wanted or trained or own.mpp[0]
    if trained is not None and not same_magnification(mpp, trained):
        note(
            f"warning: the model was trained at {trained:.4g} µm a pixel and is applied at "
            f"{mpp:.4g}"
        )
    if own.mpp[0] > MAGNIFICATION_RATIO * mpp:
        note(
            "warning: the slide is at another magnification: its pixels are "
            f"{own.mpp[0]:.4g} µm, wanted are {mpp:.4g}; enlarged, they show no more than they "
            "hold (--mpp translates at another pixel size)"
        )
    near = [
        level
        for level in slide.levels
        if max(abs(size / mpp - 1) for size in level.mpp) < SAME_MPP_SHARE
    ]
    return near[0] if near else own.at_mpp(mpp)


def same_magnification(mpp: float, trained: float) -> bool:
    """Return whether two pixel sizes, in µm, are near enough to be one magnification."""
    return 1 / MAGNIFICATION_RATIO <= mpp / trained <= MAGNIFICATION_RATIO


def tile_key(config: ApplyConfig, *files: Path, **more: object) -> Mapping[str, Any]:
    """Return what a finished tile depends on, as plain values.

    That is the configuration, the files as they are now, the version, and `more`.
    """
    return {
        "files": [
            (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files
        ],
        "version": version("stainbridge"),
        **{key: value for key, value in asdict(config).items() if key != "device"},
        **more,
    }


def _translate_again(
    slide: Slide,
    weights: Path,
    is_reversed: bool,
    config: ApplyConfig,
    open_store: OpenStore | None,
) -> NetworkSlide:
    """Make a translated slide from what it pickles as."""
    model = read_model(weights)
    return translate_slide(
        slide, model.reverse() if is_reversed else model, config, open_store=open_store
    )


def _describe_missing_size(trained: float | None) -> str:
    if trained is None:
        return "the model does not say at what pixel size it was trained"
    return (
        "the slide does not say its pixel size, and the model was trained at "
        f"{trained:.4g} µm (--slide-mpp says it)"
    )


def _freeze_for_slide(
    model: Model,
    network: Generator,
    slide: Slide,
    frame: Frame,
    tissue: TissueMap,
    seed: int,
    note: Note,
) -> Generator:
    """Return the network with this slide's statistics, where it would take each tile's own.

    Where memory does not hold all sampled tiles at once, fewer are taken.
    """
    if not normalises_tiles(network):
        return network
    device = next(network.parameters()).device
    # A tile that reaches beyond a small slide would be partly white.
    largest = min(SAMPLED_PX, frame.height, frame.width)
    side = max(1, largest // network.period) * network.period

    def freeze(count: int) -> Generator:
        tiles = read_tissue_tiles(slide, frame, tissue, side, count, seed)
        with catch_out_of_memory(f"{len(tiles)} x {side} px"):
            pictures = [
                pixels_to_tensor(match_channels(tile, model.source_channels, slide.info.path))
                for tile in tiles
            ]
            return freeze_statistics(network, torch.stack(pictures).to(device))

    return halve_until_it_fits(SAMPLED_TILES, 1, freeze, note, "statistics are of {} tiles")
