"""What a translation is trained on: generated tissue, pictures or slides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.cli.output import say
from stainbridge.cli.run_folder import GENERATED
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.learn.loop import Data
    from stainbridge.translation.training.slide_stream import SlideStream
    from stainbridge.translation.training.training import TranslationTraining

GENERATED_MPP = 1.0
#: Held-out tiles of one piece of generated tissue.
HELD_PER_BLOCK = 4


def is_manifest(data: str) -> bool:
    """Whether data are a table of slides."""
    return data.lower().endswith(".csv")


@contextmanager
def tile_data(source: str, settings: TranslationTraining) -> Iterator[Data]:
    """Training and held-out tiles from generated tissue, pictures or slides.

    Raises `InputError` where they are bad.
    """
    from stainbridge.learn.loop import Data
    from stainbridge.translation.objectives.config import CycleConfig

    paired = not isinstance(settings.translation.objective, CycleConfig)
    if source == GENERATED:
        yield _generated(settings, paired)
    elif is_manifest(source):
        training, held = _slides(Path(source), settings, paired)
        with closing(training), closing(held):
            yield Data(training, held)
    else:
        yield _pictures(source, settings, paired)


def _pictures(source: str, settings: TranslationTraining, paired: bool) -> Data:
    from stainbridge.datasets.tile_pictures import read_pictures
    from stainbridge.learn.loop import Data
    from stainbridge.translation.training.picture_stream import PictureStream

    translation, seed = settings.translation, 2 * settings.train.seed
    stains = (translation.source, translation.target)[:: -1 if settings.tiles.reverse else 1]
    found = read_pictures(source, (stains[0], stains[1]), paired, settings.tiles.reverse)
    _note(found.note)
    size, channels = translation.tile_px, translation.channels
    return Data(
        PictureStream(found.training, size, channels, seed, settings.tiles.turned),
        PictureStream(found.held, size, channels, seed + 1, turned=False),
    )


def _generated(settings: TranslationTraining, paired: bool) -> Data:
    from stainbridge.datasets.generated_tiles import GeneratedTiles
    from stainbridge.learn.loop import Data

    translation, seed = settings.translation, 2 * settings.train.seed
    stains, mpp = (translation.source, translation.target), translation.mpp or GENERATED_MPP
    few = replace(settings.generated, per_block=HELD_PER_BLOCK)
    return Data(
        GeneratedTiles(settings.generated, *stains, translation.tile_px, mpp, seed, paired),
        GeneratedTiles(few, *stains, translation.tile_px, mpp, seed + 1, paired=True),
    )


def _slides(
    manifest: Path, settings: TranslationTraining, paired: bool
) -> tuple[SlideStream, SlideStream]:
    from stainbridge.datasets.slide_pairs import read_slide_pairs
    from stainbridge.translation.training.slide_stream import SlideStream

    translation, tiles, seed = settings.translation, settings.tiles, 2 * settings.train.seed
    found = read_slide_pairs(manifest, tiles.reverse)
    _note(found.note)
    mpp = translation.mpp
    if mpp is None:
        raise InputError(
            "tiles of slides need a pixel size", where=manifest, remedy="set translation: mpp"
        )
    aligned = all(pair.moving_from_fixed is not None for pair in found.held)

    def stream(held: bool) -> SlideStream:
        pairs = found.held if held else found.training
        together = aligned if held and not paired else paired
        turned = tiles.turned and not held
        channels = translation.channels
        size, least = translation.tile_px, tiles.min_tissue
        return SlideStream(pairs, size, mpp, channels, seed + held, together, least, turned)

    return stream(held=False), stream(held=True)


def _note(note: str) -> None:
    if note:
        say(note)
