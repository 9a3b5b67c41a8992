"""The pairs of sections that registration networks are trained on."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.progress import Note, Progress

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.registration.training.config import AffineTraining, DeformableTraining

    RegistrationTraining: TypeAlias = AffineTraining | DeformableTraining

#: The sub-folder of a run that stores its samples.
SAMPLES = "samples"
#: Seconds between two looks at how many stored samples there are.
LOOK_S = 2.0


def open_pairs(
    source: str, settings: RegistrationTraining, folder: Path, note: Note
) -> TrainingData:
    """Open training and validation samples of generated tissue or of a data set's cases.

    Stored samples are kept in `folder`. Raises `InputError` for data that cannot be trained on.
    """
    from stainbridge.learn.loop import TrainingData
    from stainbridge.registration.training.stored_samples import StoredStream
    from stainbridge.registration.training.stream import PairStream

    at_once = settings.train.workers * settings.train.batch
    if at_once > settings.pairs.cached_pairs:
        note(
            f"warning: with pairs: cached_pairs below workers x batch = {at_once},"
            " workers prepare the same pairs"
        )
    seed = settings.train.seed
    # Every validation sample shows another pair.
    unrepeated = replace(settings.pairs, reuse=1, cached_pairs=1)
    if source == GENERATED:
        training, validation = _generate_pairs(settings)
    else:
        training, validation = _read_cases(Path(source), note)
    stream = PairStream(training, settings.pairs, 2 * seed)
    return TrainingData(
        StoredStream(stream, folder / SAMPLES) if settings.pairs.stored_samples else stream,
        PairStream(validation, unrepeated, 2 * seed + 1),
    )


def report_samples(settings: RegistrationTraining, folder: Path, progress: Progress) -> Progress:
    """Return a progress callback that also says how many stored samples are made.

    They are made as they are first shown, so that steps are slow until all are there.
    """
    count = settings.pairs.stored_samples
    if not count:
        return progress
    looked_s = -math.inf
    made = 0

    def report(text: str, fraction: float) -> None:
        nonlocal looked_s, made
        if made < count and time.monotonic() - looked_s > LOOK_S:
            looked_s = time.monotonic()
            made = len(list((folder / SAMPLES).glob("*.npz")))
        progress(text if made >= count else f"{text}, making samples: {made} of {count}", fraction)

    return report


def _generate_pairs(settings: RegistrationTraining) -> tuple[Any, Any]:
    from stainbridge.datasets.generated import GeneratedPairs

    seed = settings.train.seed
    return (
        GeneratedPairs(settings.generated, 2 * seed),
        GeneratedPairs(settings.generated, 2 * seed + 1),
    )


def _read_cases(path: Path, note: Note) -> tuple[Any, Any]:
    """Return the cases of a data set to train on and to validate on."""
    from stainbridge.datasets.layouts import read_data_set
    from stainbridge.learn.split import split_validation
    from stainbridge.registration.training.align import align_by_registration
    from stainbridge.registration.training.pairs import CasePairs

    cases = read_data_set(path).cases
    split = split_validation(cases)
    if split.is_shared:
        note(
            f"warning: {len(cases)} pairs are too few to keep some out:"
            " training pairs are measured on too"
        )
    return (
        CasePairs(split.training, align_by_registration),
        CasePairs(split.validation, align_by_registration),
    )
