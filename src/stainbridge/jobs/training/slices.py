"""The slices that Synth-by-Reg is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.progress import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stainbridge.joint.sbr.config import SbrTraining
    from stainbridge.joint.slices import PairedSlices
    from stainbridge.learn.loop import TrainingData
    from stainbridge.slides.case import Case


def open_slices(source: str, settings: SbrTraining, note: Note) -> TrainingData:
    """Read slices to train and to validate on, generated ones or a data set's.

    Without a split all slices are trained on, and validated on as they are. Raises `InputError` for
    data that cannot be trained on.
    """
    from stainbridge.joint.sbr.stream import SliceStream
    from stainbridge.joint.sbr.table import load_variant
    from stainbridge.joint.slices import read_slices
    from stainbridge.learn.loop import TrainingData

    cases = _list_cases(source, settings)
    variant = load_variant(settings.variant)
    if variant.needs_labels:
        _require_labels(cases, settings.variant)
    stack = read_slices(cases, settings.slices.mpp, settings.slices.longest_px)
    training, validation = _split(stack, cases, settings, note)
    seed = settings.train.seed
    return TrainingData(
        SliceStream(training, settings.slices, 2 * seed, variant.shows_neighbours),
        SliceStream(
            validation, settings.slices, 2 * seed + 1, variant.shows_neighbours, is_augmented=False
        ),
    )


def _list_cases(source: str, settings: SbrTraining) -> Sequence[Case]:
    if source == GENERATED:
        from stainbridge.phantom.slices.rendered import generate_slices

        slices = settings.slices
        return generate_slices(slices.generated, slices.generated_slices, settings.train.seed)
    from stainbridge.datasets.layouts import read_data_set
    from stainbridge.datasets.slices import check_slices

    cases = read_data_set(Path(source)).cases
    check_slices(cases)
    return cases


def _require_labels(cases: Sequence[Case], variant: str) -> None:
    """Raise `InputError` for a slice without labels of both modalities."""
    for case in cases:
        if case.open_fixed_labels is None or case.open_moving_labels is None:
            raise InputError(
                f"{variant} is trained on labels",
                where=case.id,
                expected="labels of both modalities",
                remedy="train the variant nmi",
            )


def _split(
    stack: PairedSlices, cases: Sequence[Case], settings: SbrTraining, note: Note
) -> tuple[PairedSlices, PairedSlices]:
    """Return the slices to train and to validate on."""
    if not settings.split:
        note("all slices are trained on; --split leaves some out to validate and test on")
        return stack, stack
    from stainbridge.datasets.slice_split import select_part

    path = Path(settings.split)
    training, validation = (
        [case.id for case in select_part(cases, path, (part,))] for part in ("train", "validation")
    )
    return stack.select(training), stack.select(validation)
