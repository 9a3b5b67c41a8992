"""A trained sharpening applied to a whole slide: a slide of finer pixels, which stays lazy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from stainbridge.compute import choose_device
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import copy_weights, read_weights
from stainbridge.nn.rrdb_generator import RRDBGenerator
from stainbridge.progress import Note, ignore_note
from stainbridge.settings import build
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.apply import (
    ApplyConfig,
    OpenStore,
    check_channels,
    same_magnification,
)
from stainbridge.translation.inference.inference import Inference
from stainbridge.translation.inference.network_slide import NetworkOutput, NetworkSlide
from stainbridge.translation.inference.tiling import plan_tiles
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.translation.sharpening.config import SharpenConfig
from stainbridge.translation.sharpening.task import SharpenTask

#: A tile's side is divided by it: the output takes several times the memory of the input.
TILE_DIVISOR = 2
#: Smallest side of tiles after that, in pixels.
SMALLEST_TILE_PX = 128


@dataclass(frozen=True, eq=False)
class Sharpening:
    """A generator of finer pixels, in eval mode, and what it was trained on."""

    path: Path
    """The file of weights."""
    factor: int
    """Pixels a side for each one that goes in."""
    channels: int
    """Channels that it takes and puts out."""
    mpp: float | None
    """Pixel size that it was trained to put out, in µm; None for any."""
    network: RRDBGenerator
    """The generator."""


def read_sharpening(path: Path) -> Sharpening:
    """Read the sharpening of a RUN folder or a file of weights.

    Raises `InputError` for other, damaged or missing weights.
    """
    stored = read_weights(path)
    check_task(stored, SharpenTask.name)
    config = build(SharpenConfig, stored.settings, stored.path)
    task = SharpenTask(config)
    copy_weights(stored, task.networks)
    generator = task.generator.eval().requires_grad_(False)
    return Sharpening(
        stored.path, config.generator.factor, config.generator.channels, config.mpp, generator
    )


def sharpen_slide(
    slide: Slide,
    model: Sharpening,
    config: ApplyConfig,
    note: Note = ignore_note,
    tissue: TissueMap | None = None,
    open_store: OpenStore | None = None,
) -> NetworkSlide:
    """Return `slide` at full resolution with pixels `factor` times as fine: a lazy `Slide`.

    Glass of `tissue`, in the slide's space, is white. The result begins at (0, 0) µm. Closing it
    closes `slide`. It pickles as `slide`, the path of the weights and `config`. Raises `InputError`
    for a slide of other channels and `OutOfMemoryError`.
    """
    check_channels(slide, model.channels)
    mpp = slide.frame.mpp[0] / model.factor
    trained = model.mpp
    if trained is not None and slide.frame.calibrated and not same_magnification(mpp, trained):
        note(
            f"warning: the sharpening was trained to make {trained:.4g} µm a pixel and is applied "
            f"to make {mpp:.4g}"
        )
    device = torch.device(choose_device(config.device))
    network = model.network.to(device)
    tile_px = max(SMALLEST_TILE_PX, config.tile_px // TILE_DIVISOR)
    return NetworkSlide(
        slide,
        slide.frame,
        Inference(network, model.channels, device, config.precision),
        plan_tiles(slide.frame, tile_px, network.reach, network.period, note),
        NetworkOutput("sharpened", model.channels, slide.stain, model.factor),
        tissue,
        open_store() if open_store else None,
        partial(_sharpen_again, slide, model.path, config, tissue, open_store),
    )


def _sharpen_again(
    slide: Slide,
    weights: Path,
    config: ApplyConfig,
    tissue: TissueMap | None,
    open_store: OpenStore | None,
) -> NetworkSlide:
    """Make a sharpened slide from what it pickles as."""
    return sharpen_slide(
        slide, read_sharpening(weights), config, tissue=tissue, open_store=open_store
    )
