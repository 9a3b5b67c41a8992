"""A trained sharpening applied to a whole slide: a slide of finer pixels, which stays lazy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import copy_weights, read_weights
from stainbridge.nn.rrdb_generator import RRDBGenerator
from stainbridge.settings import build
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.apply import COARSER, ApplyConfig, Told, tiles_of
from stainbridge.translation.inference.inference import Inference, device_named
from stainbridge.translation.inference.network_slide import Made, NetworkSlide
from stainbridge.translation.inference.parts import Parts
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.translation.sharpening.config import SharpenConfig
from stainbridge.translation.sharpening.task import SharpenTask
from stainbridge.translation.training.augment import with_channels

#: What it puts out takes several times the memory: it is shown tiles of this share of the side.
TILE_SHARE = 2


@dataclass(frozen=True, eq=False)
class Sharpening:
    """A generator in eval mode that puts out `factor` pixels where it is shown one; `mpp` of those,
    None for any.
    """

    path: Path
    factor: int
    channels: int
    mpp: float | None
    network: RRDBGenerator


def read_sharpening(path: Path) -> Sharpening:
    """The sharpening of a RUN folder or a file.

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


def sharpened(
    slide: Slide,
    model: Sharpening,
    config: ApplyConfig,
    told: Told,
    tissue: TissueMap | None = None,
    parts: Callable[[], Parts] | None = None,
) -> NetworkSlide:
    """`slide` at its full resolution with pixels `factor` times as fine; a `Slide` that computes
    what is read of it.

    Glass of `tissue`, in the slide's space, is white. The result begins at (0, 0) µm. Closing it
    closes `slide`. Raises `InputError` for a slide of other channels and `OutOfMemoryError`.
    """
    with_channels(
        np.zeros((len(slide.info.channels), 1, 1), slide.info.dtype),
        model.channels,
        slide.info.path,
    )
    mpp = slide.frame.mpp[0] / model.factor
    if (
        model.mpp is not None
        and slide.frame.calibrated
        and not 1 / COARSER <= mpp / model.mpp <= COARSER
    ):
        told(
            f"warning: the sharpening was trained to make {model.mpp:.4g} µm a pixel and is applied to make {mpp:.4g}"
        )
    device = device_named(config.device)
    network = model.network.to(device)
    tiles = tiles_of(
        slide.frame, max(128, config.tile_px // TILE_SHARE), network.reach, network.period, told
    )
    run = Inference(network, model.channels, device, config.precision)
    made = Made("sharpened", model.channels, slide.stain, model.factor)
    return NetworkSlide(slide, slide.frame, run, tiles, made, tissue, parts() if parts else None)
