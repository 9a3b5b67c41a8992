"""Score translated tiles against the real ones: a row a tile, and means over tiles.

The scores are those that pyramid pix2pix (Liu et al. 2022) and CycGANRegNet (2022, translation
forward and backward) report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeAlias

import numpy as np

from stainbridge.errors import InputError
from stainbridge.metrics.images import score_images
from stainbridge.metrics.stains import score_dab
from stainbridge.types import Pixels

TranslateFunction: TypeAlias = Callable[[Pixels], Pixels]  # (C, H, W) to (C', H, W), 8 bits
#: Distances of a real and a made tile, (C, H, W) of 8 bits, by their fields of `TranslationScores`.
Distances: TypeAlias = Mapping[str, Callable[[Pixels, Pixels], float]]
#: No further distances.
NO_DISTANCES: Distances = {}
#: The level of a mean over tiles of all levels.
ALL = "all"
#: The direction of a row about the translation itself; the others name a reconstructed stain.
FORWARD = "forward"
#: The HER2 level in BCI's file names: 00000_train_3+.png.
LEVEL = re.compile(r"_(0|1\+|2\+|3\+)$")


@dataclass(frozen=True)
class TranslationMethod:
    """A model as a pair of functions."""

    name: str
    """What tables call it."""
    forward: TranslateFunction
    """Translates source to target."""
    backward: TranslateFunction | None = None
    """Translates target to source, where the model learned that too."""


@dataclass(frozen=True, eq=False)
class TilePixels:
    """The pixels of one tile in both stains."""

    name: str
    """The name of the tile."""
    source: Pixels
    """(C, H, W), 8 bits."""
    target: Pixels
    """(C', H, W), 8 bits, of the same place."""

    @property
    def level(self) -> str:
        """The HER2 level with which the name ends in BCI, "" where there is none."""
        match = LEVEL.search(Path(self.name).name)
        return match[1] if match else ""


@dataclass(frozen=True)
class TranslationScores:
    """How far a translation is from the real tile; see `metrics.images` and `metrics.stains`."""

    psnr_db: float
    """Peak signal-to-noise ratio in dB."""
    ssim_uniform7: float
    """SSIM over uniform windows of 7 x 7 pixels."""
    ssim_gaussian11: float
    """SSIM over Gaussian windows of 11 x 11 pixels."""
    rmse: float
    """Root mean square error in grey values."""
    dab_dice: float
    """Dice of the DAB-positive areas; nan where neither has any DAB, or they are not RGB."""
    lpips_alex: float = float("nan")
    """LPIPS by AlexNet; nan where it was not asked for."""
    lpips_vgg: float = float("nan")
    """LPIPS by VGG-16; nan where it was not asked for."""


@dataclass(frozen=True)
class ScoredPicture:
    """A row: the scores of one model on one tile."""

    model: str
    """The name of the model."""
    picture: str
    """The name of the tile."""
    level: str
    """Its HER2 level, or empty."""
    width: int
    """Its width in pixels."""
    height: int
    """Its height in pixels."""
    direction: str
    """`forward`, or the stain that was translated and back: `source` or `target`."""
    scores: TranslationScores
    """The scores."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A tile, its translations, and the rows about it."""

    pair: TilePixels
    """The tile in both stains."""
    translations: Mapping[str, Pixels]
    """The translation of the source, by model."""
    rows: tuple[ScoredPicture, ...]
    """The scores of all models."""


@dataclass(frozen=True)
class MeanScores:
    """The means over the tiles of one model, direction and level."""

    model: str
    """The name of the model."""
    direction: str
    """As `ScoredPicture.direction`."""
    level: str
    """The HER2 level, or `all`."""
    pictures: int
    """How many tiles."""
    scores: TranslationScores
    """The means; DAB's over the tiles that have any."""


def compare_translations(
    pairs: Iterable[TilePixels],
    methods: Sequence[TranslationMethod],
    distances: Distances = NO_DISTANCES,
) -> Iterator[Comparison]:
    """Translate each tile with each method and score the results, by further `distances` too.

    Raises `InputError` where translation and real tile differ in size or channels.
    """
    for pair in pairs:
        translations = {method.name: method.forward(pair.source) for method in methods}
        rows = [
            row
            for method in methods
            for row in _rows(pair, method, translations[method.name], distances)
        ]
        yield Comparison(pair, translations, tuple(rows))


def _rows(
    pair: TilePixels, method: TranslationMethod, translation: Pixels, distances: Distances
) -> Iterator[ScoredPicture]:
    """Yield a row of the translation, and two of reconstructions where it goes both ways."""

    def row(direction: str, real: Pixels, made: Pixels) -> ScoredPicture:
        height, width = real.shape[1:]
        scores = score_translation(real, made, pair.name, distances)
        return ScoredPicture(method.name, pair.name, pair.level, width, height, direction, scores)

    yield row(FORWARD, pair.target, translation)
    if method.backward is not None:
        yield row("source", pair.source, method.backward(translation))
        yield row("target", pair.target, method.forward(method.backward(pair.target)))


def score_translation(
    real: Pixels, made: Pixels, where: str, distances: Distances = NO_DISTANCES
) -> TranslationScores:
    """Score a translation against the real tile, both (C, H, W) of 8 bits."""
    try:
        images = score_images(real, made)
        further = {name: measure(real, made) for name, measure in distances.items()}
    except InputError as error:
        raise InputError(error.what, where=where, expected=error.expected, got=error.got) from error
    dab_dice = score_dab(real, made).positive_dice if len(real) == 3 else float("nan")
    return TranslationScores(
        images.psnr_db,
        images.ssim_uniform7,
        images.ssim_gaussian11,
        images.rmse,
        dab_dice,
        **further,
    )


def mean_scores(rows: Sequence[ScoredPicture]) -> list[MeanScores]:
    """Return means for each direction and model, over all tiles and over each HER2 level."""
    means: list[MeanScores] = []
    for direction in dict.fromkeys(row.direction for row in rows):
        for model in dict.fromkeys(row.model for row in rows):
            own = [row for row in rows if (row.direction, row.model) == (direction, model)]
            levels = sorted({row.level for row in own} - {""})
            groups = {
                ALL: own,
                **{level: [row for row in own if row.level == level] for level in levels},
            }
            means += [
                MeanScores(
                    model, direction, name, len(group), average_scores([r.scores for r in group])
                )
                for name, group in groups.items()
                if group
            ]
    return means


def average_scores(scores: Sequence[TranslationScores]) -> TranslationScores:
    """Return the mean of each score over those where it is known; nan where it never is."""
    values = {
        field.name: [getattr(each, field.name) for each in scores]
        for field in fields(TranslationScores)
    }
    return TranslationScores(
        **{name: _mean_without_nan(numbers) for name, numbers in values.items()}
    )


def _mean_without_nan(numbers: Sequence[float]) -> float:
    known = [number for number in numbers if not np.isnan(number)]
    return float(np.mean(known)) if known else float("nan")
