"""The pictures that segmentation-augmented registration is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.progress import Note

if TYPE_CHECKING:
    from stainbridge.joint.sar.config import SarTraining
    from stainbridge.joint.sar.pictures import MaskedPictures
    from stainbridge.learn.loop import TrainingData

#: What to do where masks are missing.
NO_MASKS = "add --no-segmentation to train without masks"


def open_masked_pictures(source: str, settings: SarTraining, note: Note) -> TrainingData:
    """Open pairs to train and to validate on, of generated tissue or of a folder's pictures.

    The folder has `images`, and `masks` or `labels` with the same file names. Raises `InputError`
    for data that cannot be trained on.
    """
    from stainbridge.joint.sar.comparator_task import ComparatorStream
    from stainbridge.joint.sar.stream import SarStream
    from stainbridge.learn.loop import TrainingData

    if source == GENERATED:
        training, validation = _generate(settings)
    else:
        training, validation = _read_folder(Path(source), settings, note)
    seed = settings.train.seed
    pairs = SarStream(training, settings.pairs, 2 * seed)
    held = SarStream(validation, settings.pairs, 2 * seed + 1).for_validation(2 * seed + 1)
    if settings.comparator is None:
        return TrainingData(pairs, held)
    return TrainingData(ComparatorStream(pairs), ComparatorStream(held))


def _generate(settings: SarTraining) -> tuple[MaskedPictures, MaskedPictures]:
    from stainbridge.joint.sar.pictures import GeneratedPictures

    size_px = settings.pairs.size_px
    seed = settings.train.seed
    return (
        GeneratedPictures(settings.generated, size_px, 2 * seed),
        GeneratedPictures(settings.generated, size_px, 2 * seed + 1),
    )


def _read_folder(
    folder: Path, settings: SarTraining, note: Note
) -> tuple[MaskedPictures, MaskedPictures]:
    from stainbridge.datasets.subjects import find_subjects
    from stainbridge.joint.sar.pictures import PictureFiles

    if not folder.is_dir():
        raise MissingFileError("no such folder", where=folder, expected="images and masks in it")
    subjects = find_subjects(folder)

    def open_part(names: Sequence[str]) -> PictureFiles:
        pictures = tuple(subjects.images / name for name in names)
        masks = subjects.require_masks(names, NO_MASKS) if settings.loss.has_masks else None
        files = PictureFiles(pictures, masks, settings.pairs.size_px)
        files.check()
        return files

    training, validation = _split(subjects.names, settings, note)
    return open_part(training), open_part(validation)


def _split(
    names: Sequence[str], settings: SarTraining, note: Note
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names to train and to validate on."""
    if settings.split:
        return _select_part(names, settings.split, "train"), _select_part(
            names, settings.split, "validation"
        )
    from stainbridge.learn.split import split_validation

    split = split_validation(names)
    if split.is_shared:
        note(
            f"warning: {len(names)} pictures are too few to keep some out:"
            " training pictures are measured on too"
        )
    return split.training, split.validation


def _select_part(names: Sequence[str], table: str, part: str) -> list[str]:
    from stainbridge.datasets.slice_split import read_split

    parts = read_split(Path(table))
    selected = [name for name in names if parts.get(Path(name).stem) == part]
    if not selected:
        raise InputError("no pictures in this part", where=table, got=part)
    return selected
