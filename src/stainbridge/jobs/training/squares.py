"""The squares that sharpening is trained on: generated tissue, slides or pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.progress import Note

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.translation.sharpening.config import SharpenTraining


def open_squares(source: str, settings: SharpenTraining, note: Note) -> TrainingData:
    """Open training and held-out samples of generated tissue, or of files.

    Raises `InputError` when there are none.
    """
    from stainbridge.learn.loop import TrainingData
    from stainbridge.translation.sharpening.stream import SharpenStream

    factor = settings.sharpen.generator.factor
    if source == GENERATED:
        training, held = _generate_squares(settings)
    else:
        training, held = _cut_from_files(Path(source), settings, note)
    return TrainingData(SharpenStream(training, factor), SharpenStream(held, factor))


def _generate_squares(settings: SharpenTraining) -> tuple[Any, Any]:
    from stainbridge.datasets.generated_squares import GeneratedSquares

    side = settings.sharpen.tile_px
    seed = 2 * settings.train.seed
    return (
        GeneratedSquares(side, seed, settings.mpp_range),
        GeneratedSquares(side, seed + 1, settings.mpp_range),
    )


def _cut_from_files(path: Path, settings: SharpenTraining, note: Note) -> tuple[Any, Any]:
    from stainbridge.learn.split import split_validation
    from stainbridge.translation.sharpening.stream import SlideSquares

    sharpen = settings.sharpen
    seed = 2 * settings.train.seed

    def make_squares(files: Sequence[Path], seed: int) -> SlideSquares:
        return SlideSquares(files, sharpen.tile_px, seed, sharpen.mpp, sharpen.generator.channels)

    paths = list_pictures(path)
    split = split_validation(paths)
    if split.is_shared:
        note(
            f"warning: {len(paths)} files are too few to keep some out:"
            " training files are measured on too"
        )
    return make_squares(split.training, seed), make_squares(split.validation, seed + 1)


def list_pictures(path: Path) -> list[Path]:
    """Return a slide, or the files of a folder and the folders in it, in order.

    Hidden files are left out. Raises `InputError` when there are none.
    """
    if not path.exists():
        raise MissingFileError(
            "no such file or folder", where=path, remedy="name slides or tiles, or leave --data out"
        )
    if path.is_file():
        return [path]
    files = [
        file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")
    ]
    if not files:
        raise InputError("no slides or pictures", where=path)
    return files
