"""Pictures that models translated against the real ones: a row a picture, and means over pictures.

Measured as pyramid pix2pix (Liu et al. 2022) and CycGANRegNet (2022, translation there and back)
report it.
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

Translate: TypeAlias = Callable[[Pixels], Pixels]  # (C, H, W) to (C', H, W), 8 bits
ALL = "all"
#: HER2 in the names of BCI: 00000_train_3+.png.
LEVEL = re.compile(r"_(0|1\+|2\+|3\+)$")


@dataclass(frozen=True)
class Translator:
    """`there` translates source to target; `back`, where the model learned that too, target to
    source.
    """

    name: str
    there: Translate
    back: Translate | None = None


@dataclass(frozen=True, eq=False)
class PicturePair:
    """Pictures (C, H, W), 8 bits, of one place in both stains."""

    name: str
    source: Pixels
    target: Pixels

    @property
    def level(self) -> str:
        """What the name ends with in BCI: the HER2 level, "" where there is none."""
        found = LEVEL.search(Path(self.name).name)
        return found[1] if found else ""


@dataclass(frozen=True)
class TranslationScores:
    """How far a made picture is from the real one; see `metrics.images` and `metrics.stains`.

    `dab_dice` is nan where neither has any DAB, or they are not RGB.
    """

    psnr_db: float
    ssim_uniform7: float
    ssim_gaussian11: float
    rmse: float
    dab_dice: float


@dataclass(frozen=True)
class ScoredPicture:
    """A row: which model, which picture, at which size; `way` is "there", or the stain that came
    back.
    """

    model: str
    picture: str
    level: str
    width: int
    height: int
    way: str
    scores: TranslationScores


@dataclass(frozen=True, eq=False)
class Comparison:
    """A pair, what each model made of it, and the rows about it."""

    pair: PicturePair
    made: Mapping[str, Pixels]
    rows: tuple[ScoredPicture, ...]


@dataclass(frozen=True)
class MeanScores:
    """The means over `pictures` of one model, way and level; DAB's over those that have any."""

    model: str
    way: str
    level: str
    pictures: int
    scores: TranslationScores


def compared(
    pairs: Iterable[PicturePair], translators: Sequence[Translator]
) -> Iterator[Comparison]:
    """Each pair through each translator.

    Raises `InputError` where made and real differ in size or channels.
    """
    for pair in pairs:
        made = {translator.name: translator.there(pair.source) for translator in translators}
        rows = [row for t in translators for row in _rows(pair, t, made[t.name])]
        yield Comparison(pair, made, tuple(rows))


def _rows(pair: PicturePair, translator: Translator, made: Pixels) -> Iterator[ScoredPicture]:
    """One of the translation, two of reconstructions where the model goes both ways."""

    def row(way: str, real: Pixels, other: Pixels) -> ScoredPicture:
        height, width = real.shape[1:]
        scores = score_translation(real, other, pair.name)
        return ScoredPicture(translator.name, pair.name, pair.level, width, height, way, scores)

    yield row("there", pair.target, made)
    if translator.back is not None:
        yield row("source", pair.source, translator.back(made))
        yield row("target", pair.target, translator.there(translator.back(pair.target)))


def score_translation(real: Pixels, made: Pixels, where: str) -> TranslationScores:
    """Scores of two pictures (C, H, W) of 8 bits."""
    try:
        alike = score_images(real, made)
    except InputError as error:
        raise InputError(error.what, where=where, expected=error.expected, got=error.got) from error
    brown = score_dab(real, made).positive_dice if len(real) == 3 else float("nan")
    return TranslationScores(
        alike.psnr_db, alike.ssim_uniform7, alike.ssim_gaussian11, alike.rmse, brown
    )


def means(rows: Sequence[ScoredPicture]) -> list[MeanScores]:
    """For each way and model over all pictures, and over each level where there are levels."""
    found = []
    for way in dict.fromkeys(row.way for row in rows):
        for model in dict.fromkeys(row.model for row in rows):
            own = [row for row in rows if (row.way, row.model) == (way, model)]
            levels = sorted({row.level for row in own} - {""})
            groups = {
                ALL: own,
                **{level: [row for row in own if row.level == level] for level in levels},
            }
            found += [
                MeanScores(model, way, name, len(group), _mean(group))
                for name, group in groups.items()
                if group
            ]
    return found


def _mean(rows: Sequence[ScoredPicture]) -> TranslationScores:
    values = {
        field.name: [getattr(row.scores, field.name) for row in rows]
        for field in fields(TranslationScores)
    }
    return TranslationScores(
        **{name: _mean_of_numbers(numbers) for name, numbers in values.items()}
    )


def _mean_of_numbers(numbers: Sequence[float]) -> float:
    there = [number for number in numbers if not np.isnan(number)]
    return float(np.mean(there)) if there else float("nan")
