"""The tiles that a translation is trained on: generated tissue, pictures or slides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.progress import Note

if TYPE_CHECKING:
    from stainbridge.datasets.tile_pictures import PictureSet
    from stainbridge.learn.loop import TrainingData
    from stainbridge.translation.training.config import TileSamplingConfig, TranslationTraining
    from stainbridge.translation.training.slide_stream import SlideStream

#: Pixel size of generated tiles, in µm, unless another is asked for.
GENERATED_MPP = 1.0
#: Held-out tiles of one piece of generated tissue: few, so that many pieces are measured on.
HELD_PER_BLOCK = 4


def is_manifest(data: str) -> bool:
    """Return whether data are a table of slides."""
    return data.lower().endswith(".csv")


@contextmanager
def open_tiles(source: str, settings: TranslationTraining, note: Note) -> Iterator[TrainingData]:
    """Open training and held-out tiles of generated tissue, pictures or slides.

    Raises `InputError` for data that cannot be trained on.
    """
    from stainbridge.datasets.paired_set import REMEDY
    from stainbridge.learn.loop import TrainingData

    paired = settings.translation.objective.needs_pairs
    if settings.tiles.needs_scores and not Path(source).is_dir():
        raise InputError("these data have no scores of pairs", where=source, remedy=REMEDY)
    if source == GENERATED:
        yield _generate_tiles(settings, paired)
    elif is_manifest(source):
        training, held = _open_slides(Path(source), settings, paired, note)
        with closing(training), closing(held):
            yield TrainingData(training, held)
    else:
        yield _read_pictures(source, settings, paired, note)


def _read_pictures(
    source: str, settings: TranslationTraining, paired: bool, note: Note
) -> TrainingData:
    from stainbridge.datasets.tile_pictures import read_pictures
    from stainbridge.learn.loop import TrainingData
    from stainbridge.translation.training.picture_stream import PictureStream

    translation = settings.translation
    seed = 2 * settings.train.seed
    first, second = translation.source, translation.target
    if settings.tiles.reverse:
        first, second = second, first
    pictures = read_pictures(source, (first, second), paired, settings.tiles.reverse)
    if pictures.note:
        note(pictures.note)
    if settings.tiles.needs_scores:
        pictures = _use_scores(Path(source), pictures, settings.tiles, note)
    size = translation.tile_px
    channels = translation.channels
    return TrainingData(
        PictureStream(pictures.training, size, channels, seed, settings.tiles.rotate_and_flip),
        PictureStream(pictures.validation, size, channels, seed + 1, rotate_and_flip=False),
    )


def _use_scores(
    folder: Path, pictures: PictureSet, tiles: TileSamplingConfig, note: Note
) -> PictureSet:
    """Leave out pairs that are misaligned too much, and weigh those to train on."""
    from stainbridge.datasets.paired_set import PairedSet

    pairs = PairedSet.read(folder)
    training = pictures.training
    validation = pictures.validation
    if tiles.max_residual_px is not None:
        count = len(training.sources)
        training = pairs.select(training, tiles.max_residual_px)
        validation = pairs.select(validation, tiles.max_residual_px)
        left_out = count - len(training.sources)
        note(f"{left_out} of {count} training pairs left out: residual unknown or above the limit")
    if tiles.weight_by_residual:
        training = pairs.weigh(training, tiles.residual_scale_px)
    return replace(pictures, training=training, validation=validation)


def _generate_tiles(settings: TranslationTraining, paired: bool) -> TrainingData:
    from stainbridge.datasets.generated_tiles import GeneratedTiles
    from stainbridge.learn.loop import TrainingData

    translation = settings.translation
    seed = 2 * settings.train.seed
    stains = (translation.source, translation.target)
    size = translation.tile_px
    mpp = translation.mpp or GENERATED_MPP
    few = replace(settings.generated, tiles_per_block=HELD_PER_BLOCK)
    return TrainingData(
        GeneratedTiles(settings.generated, *stains, size, mpp, seed, paired),
        GeneratedTiles(few, *stains, size, mpp, seed + 1, paired=True),
    )


def _open_slides(
    manifest: Path, settings: TranslationTraining, paired: bool, note: Note
) -> tuple[SlideStream, SlideStream]:
    from stainbridge.datasets.slide_pairs import read_slide_pairs
    from stainbridge.translation.training.slide_stream import SlideStream

    translation = settings.translation
    tiles = settings.tiles
    seed = 2 * settings.train.seed
    slides = read_slide_pairs(manifest, tiles.reverse)
    if slides.note:
        note(slides.note)
    mpp = translation.mpp
    if mpp is None:
        raise InputError(
            "tiles of slides need a pixel size", where=manifest, remedy="set translation: mpp"
        )
    aligned = all(pair.moving_from_fixed is not None for pair in slides.validation)

    def make_stream(held: bool) -> SlideStream:
        return SlideStream(
            slides.validation if held else slides.training,
            translation.tile_px,
            mpp,
            translation.channels,
            seed + held,
            aligned if held and not paired else paired,
            tiles.min_tissue,
            tiles.rotate_and_flip and not held,
        )

    return make_stream(held=False), make_stream(held=True)
