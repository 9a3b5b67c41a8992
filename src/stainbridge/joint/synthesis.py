"""Register by synthesis: one slide of a pair is seen as a model translates it to the other's stain.

CycGANRegNet, doi:10.1101/2022.05.31.494254, translates H&E to synthetic IHC and registers the real
IHC slide to that. Here any translation goes before any pipeline: `translate_pair` returns two
slides to hand to `register_slides`. The translated one has the frame and the space of the original,
so the registration is one of the original slides.

A registration looks at a whole slide at a resolution that is often many times coarser than the
model's. How such a read is translated:

- Up to `EXACT_RATIO` times the model's pixel size, tile by tile by the network at its own pixel
  size, and averaged. So is any read of a slide whose tissue is at most `SMALL_PX` of its pixels.
- A coarser read maps the colours of a read as coarse, by a `ColourMap` that is fitted to tiles of
  the slide's own tissue, which the network translates. It costs the same however large the slide
  is.

The network itself is never shown a coarser picture than it was trained on: from twice its pixel
size on, it comes less close to what it makes at its own than the colour map does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from stainbridge.compute import DeviceChoice, choose_device
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.joint.colour_map import ColourMap, Sample
from stainbridge.progress import Note, ignore_note
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.describe import Described
from stainbridge.slides.slide import Slide, SlideInfo
from stainbridge.translation.inference.apply import (
    MAGNIFICATION_RATIO,
    SAMPLED_PX,
    SAMPLED_TILES,
    ApplyConfig,
    adapt_to_slide,
    check_channels,
    translate_slide,
)
from stainbridge.translation.inference.inference import Inference, translate_picture
from stainbridge.translation.inference.model import Model, read_model
from stainbridge.translation.inference.network_slide import WHITE
from stainbridge.translation.inference.tiling import usual_tile
from stainbridge.translation.inference.tissue_map import TissueMap, read_tissue_tiles
from stainbridge.translation.objectives.pixels import match_channels

#: One slide of a pair.
Side: TypeAlias = Literal["fixed", "moving"]

#: Reads up to so many times as coarse as the model's pixels are the network's own, averaged: four
#: pixels of the network for each that is read.
EXACT_RATIO = 2.0
#: A slide with no more tissue than this, in pixels of the model's size, is translated as a whole:
#: that costs no more than the sampled tiles of a larger one.
SMALL_PX = SAMPLED_TILES * SAMPLED_PX**2
#: Least pixels a side that a sampled tile is averaged to.
LEAST_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class TranslatedPair:
    """Two slides to register, one of them translated to the other's stain."""

    fixed: Slide
    """The fixed slide, as the registration sees it."""
    moving: Slide
    """The moving slide, as the registration sees it."""
    side: Side
    """The one that is translated."""
    model: Model
    """What translates it, from its stain to the other's."""

    @property
    def translated(self) -> Slide:
        """The translated slide."""
        return self.fixed if self.side == "fixed" else self.moving

    def describe(self) -> dict[str, Any]:
        """Return side, model and the SHA-256 of its file, as JSON values."""
        with self.model.path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return {
            "side": self.side,
            "model": str(self.model.path),
            "sha256": digest,
            "source": self.model.source,
            "target": self.model.target,
            "reversed": self.model.is_reversed,
            "mpp": self.model.mpp,
        }


def translate_pair(
    fixed: Slide,
    moving: Slide,
    model: Model,
    side: Side | None = None,
    config: ApplyConfig | None = None,
    note: Note = ignore_note,
) -> TranslatedPair:
    """Return the slides as a registration by synthesis sees them.

    Args:
        fixed: The slide that stays where it is.
        moving: The slide that is brought onto the fixed one.
        model: The translation. It is reversed where the slide to translate is of its target stain.
        side: The slide to translate; None: see `choose_side`.
        config: How the network is applied; None: as `choose_apply_config` says.
        note: Called with each warning, one line.

    Raises:
        InputError: A side that is neither "fixed" nor "moving", a slide whose channels the model
            does not take, a model that has not learned the direction that is needed.
        OutOfMemoryError: A tile that does not fit.

    """
    if side is not None and side not in get_args(Side):
        raise InputError("no such side", expected=" or ".join(get_args(Side)), got=side)
    side = side or choose_side(fixed, moving, model)
    chosen = fixed if side == "fixed" else moving
    model = _direct_model(model, chosen)
    translated = SyntheticSlide(chosen, model, config or choose_apply_config(model), note)
    if side == "fixed":
        return TranslatedPair(translated, moving, side, model)
    return TranslatedPair(fixed, translated, side, model)


def choose_side(fixed: Slide, moving: Slide, model: Model) -> Side:
    """Return the slide that the model translates, by the slides' stains where they are known.

    Where they say nothing, it is the fixed slide, as published, unless the model takes the channels
    of the moving one alone.
    """
    for_moving = _rate_source(moving, model) - _rate_source(fixed, model)
    if for_moving == 0 and _takes(model, moving) and not _takes(model, fixed):
        return "moving"
    return "moving" if for_moving > 0 else "fixed"


def choose_apply_config(model: Model, device: DeviceChoice = "auto", seed: int = 0) -> ApplyConfig:
    """Return how a model is applied to a section: at its pixel size, with tiles that fit together.

    Glass is white for a target of three channels, and translated for any other. `seed` draws the
    tiles that stand for the slide.
    """
    tile_px = usual_tile(model.generator.reach, model.period)
    return ApplyConfig(tile_px, device, glass=model.target_channels != 3, seed=seed)


class SyntheticSlide(ClosedByWith, Described):
    """`slide` as `model` translates it, read at any resolution at a bounded cost; a `Slide`.

    It has the frame, the space and the levels of `slide`. How coarse reads are translated stands at
    the top of this module. The statistics of instance norms are the slide's, as `translate_slide`
    takes them. Reads are thread-safe. Closing it closes `slide`. It pickles as `slide`, the path of
    the model's weights and `config`. `note` is told warnings. Raises `InputError` for a slide of
    other channels.
    """

    def __init__(
        self, slide: Slide, model: Model, config: ApplyConfig, note: Note = ignore_note
    ) -> None:
        check_channels(slide, model.source_channels)
        self._slide = slide
        self._config = config
        self._note = note
        device = choose_device(config.device)
        on_device = replace(model, generator=model.generator.to(device))
        # Both note what the options of the verb `translate` remedy; those of `register` differ.
        frozen = adapt_to_slide(on_device, slide, config.seed, ignore_note)
        self._model = replace(on_device, generator=frozen)
        self._near = translate_slide(slide, self._model, config)
        _note_pixel_size(slide, model, self._near.frame, note)
        self._lock = Lock()
        self._maps: dict[int, ColourMap] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        model = self._model
        return _translate_again, (self._slide, model.path, model.is_reversed, self._config)

    @property
    def info(self) -> SlideInfo:
        """The slide's, with the channels of the target stain."""
        return self._near.info

    @property
    def frame(self) -> Frame:
        """The slide's full-resolution frame."""
        return self._slide.frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The slide's stored resolutions."""
        return self._slide.levels

    @property
    def stain(self) -> str | None:
        """The stain that the model translates to."""
        return self._near.stain

    @cached_property
    def is_small(self) -> bool:
        """Whether the network translates all of it, however coarse the read."""
        tissue = self._near.tissue
        share = 1.0 if tissue is None else float(tissue.weight.mean())
        return self._near.frame.height * self._near.frame.width * share <= SMALL_PX

    def read(self, frame: Frame) -> Image:
        """Return the translated slide sampled on `frame`, any part at any pixel size."""
        ratio = _mean_mpp(frame) / _mean_mpp(self._near.frame)
        if ratio <= EXACT_RATIO or self.is_small:
            return self._near.read(frame)
        return self._map_colours(self._slide.read(frame), self._choose_map(ratio))

    def close(self) -> None:
        """Close the slide."""
        self._near.close()

    def _map_colours(self, image: Image, colour_map: ColourMap) -> Image:
        """Return the colours of a coarse read mapped, glass white."""
        pixels = match_channels(image.pixels, self._model.source_channels, self.info.path)
        colours = colour_map(pixels)
        if self._near.tissue is not None:
            colours = WHITE + self._near.tissue.sample(image.frame) * (colours - WHITE)
        mapped = np.where(image.valid, np.rint(colours), self._near.background).astype(np.uint8)
        return Image(mapped, image.frame, image.valid, self.stain)

    def _choose_map(self, ratio: float) -> ColourMap:
        """Return the map for reads of about this ratio of pixel sizes: one for each power of 2."""
        with self._lock:
            side_px = self._samples[0][0].shape[-1]
            block_px = 2 ** round(math.log2(max(1.0, min(ratio, side_px / LEAST_BLOCKS))))
            if block_px not in self._maps:
                self._maps[block_px] = ColourMap.fit(self._samples, block_px)
            return self._maps[block_px]

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        """Tiles of the slide's tissue at the network's pixel size, each with its translation."""
        model = self._model
        frame = self._near.frame
        self._note(
            f"note: reads coarser than {EXACT_RATIO:g} x {frame.mpp[0]:.4g} µm a pixel map the "
            f"colours as {SAMPLED_TILES} translated tiles of the tissue show"
        )
        tissue = self._near.tissue or TissueMap.of_slide(self._slide)
        seed = self._config.seed
        tiles = [
            match_channels(tile, model.source_channels, self.info.path)
            for tile in read_tissue_tiles(
                self._slide, frame, tissue, SAMPLED_PX, SAMPLED_TILES, seed
            )
        ]
        device = next(model.generator.parameters()).device
        run = Inference(model.generator, model.source_channels, device, self._config.precision)
        return tuple((tile, translate_picture(run, model.period, tile)) for tile in tiles)


def _translate_again(
    slide: Slide, weights: Path, is_reversed: bool, config: ApplyConfig
) -> SyntheticSlide:
    """Make a translated slide from what it pickles as."""
    model = read_model(weights)
    return SyntheticSlide(slide, model.reverse() if is_reversed else model, config)


def _direct_model(model: Model, slide: Slide) -> Model:
    """Return the model, reversed where the slide is known to be of its target stain.

    Raises `InputError` where that was not learned.
    """
    is_target = _is_stain(slide, model.target) and not _is_stain(slide, model.source)
    return model.reverse() if is_target else model


def _rate_source(slide: Slide, model: Model) -> int:
    """Return 1 for a slide of the model's source stain, −1 for one of its target, else 0."""
    return int(_is_stain(slide, model.source)) - int(_is_stain(slide, model.target))


def _is_stain(slide: Slide, stain: str) -> bool:
    return slide.stain is not None and _spell(slide.stain) == _spell(stain)


def _spell(stain: str) -> str:
    """Return a stain's name without case and punctuation: H&E and he are one."""
    return "".join(letter for letter in stain.casefold() if letter.isalnum())


def _takes(model: Model, slide: Slide) -> bool:
    """Return whether a slide has the channels of the model's source."""
    try:
        check_channels(slide, model.source_channels)
    except InputError:
        return False
    return True


def _note_pixel_size(slide: Slide, model: Model, shown: Frame, note: Note) -> None:
    """Note where the network, on the grid `shown`, is not shown what it was trained on."""
    if model.mpp is None:
        note("warning: the model does not know its pixel size; it is shown the slide's own pixels")
    elif not slide.frame.calibrated:
        note(
            f"warning: the pixel size of the slide to translate is not known, and the model was "
            f"trained at {model.mpp:.4g} µm; it is shown the slide's own pixels"
        )
    elif _mean_mpp(slide.frame) > MAGNIFICATION_RATIO * _mean_mpp(shown):
        note(
            f"warning: the slide to translate has {slide.frame.mpp[0]:.4g} µm a pixel, coarser "
            f"than the model's {shown.mpp[0]:.4g}; its pixels are enlarged"
        )


def _mean_mpp(frame: Frame) -> float:
    return math.sqrt(frame.mpp[0] * frame.mpp[1])
