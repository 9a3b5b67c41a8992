"""Batches from a stream of samples, made ahead in worker processes, and a check before training."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.task import Stream
from stainbridge.processes import ENDING_SIGNALS, end_with_parent

#: The least value that a network may see: the black of pictures in −1 … 1.
LOWEST_VALUE = -1.0
#: The largest value that a network may see: above densities, which end at 1.2.
HIGHEST_VALUE = 1.5


def iterate_batches(
    stream: Stream, size: int, workers: int, position: int, rank: int = 0, ranks: int = 1
) -> Generator[Any, None, None]:
    """Yield batches of `size` samples without end, from sample number `position` on.

    Each of `ranks` processes has batches of its own. Which samples there are does not depend on
    `workers`. Raises `InputError` for samples that cannot be used.
    """
    loader: DataLoader[Any] = DataLoader(
        _ErrorsAsSamples(stream),
        batch_sampler=_BatchNumbers(size, position, rank, ranks),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=partial(_begin_worker, os.getpid()),
        # else every loader draws from the random state that a resumed run depends on
        generator=torch.Generator(),
        multiprocessing_context="spawn" if workers else None,
    )
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch


def iterate_validation_batches(stream: Stream, config: TrainConfig) -> Generator[Any, None, None]:
    """Yield the first `config.validation_samples` samples in batches, rounded up to whole ones."""
    with closing(iterate_batches(stream, config.batch, config.workers, 0)) as batches:
        yield from islice(batches, config.validation_batches)


def check_inputs(pictures: Mapping[str, Tensor]) -> None:
    """Raise `InputError` for pictures that cannot be trained on.

    Those are empty, not finite, out of range, or of one value in all samples.
    """
    for name, picture in pictures.items():
        where = f"training data, {name}"
        if not picture.numel():
            raise InputError("no pixels", where=where)
        if not bool(torch.isfinite(picture).all()):
            raise InputError("values that are not finite", where=where)
        low = float(picture.min())
        high = float(picture.max())
        if low < LOWEST_VALUE or high > HIGHEST_VALUE:
            raise InputError(
                "values out of range",
                where=where,
                expected=f"{LOWEST_VALUE} to {HIGHEST_VALUE}",
                got=f"{low:.3g} to {high:.3g}",
            )
        if low == high:
            raise InputError(
                "nothing but one value", where=where, expected="pictures of tissue", got=low
            )


def move_batch(
    batch: Any, device: torch.device, layout: torch.memory_format = torch.preserve_format
) -> Any:
    """Return the batch with its tensors on `device`, those of four dimensions in `layout`."""
    if isinstance(batch, Tensor):
        return batch.to(device, memory_format=layout if batch.ndim == 4 else torch.preserve_format)
    if isinstance(batch, Mapping):
        return {key: move_batch(value, device, layout) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move_batch(value, device, layout) for value in batch))
    if isinstance(batch, list | tuple):
        return [move_batch(value, device, layout) for value in batch]
    return batch


@dataclass(frozen=True)
class _BatchNumbers:
    """Lists of sample numbers without end, one list a batch of this process."""

    size: int
    """Samples in a batch."""
    position: int
    """The first sample's number."""
    rank: int
    """Number of this process."""
    ranks: int
    """Number of processes."""

    def __iter__(self) -> Iterator[list[int]]:
        first = self.position + self.rank * self.size
        while True:
            yield list(range(first, first + self.size))
            first += self.size * self.ranks


@dataclass(frozen=True, eq=False)
class _ErrorsAsSamples(Dataset[Any]):
    """A stream whose `InputError` is returned as a sample.

    torch would wrap an error that is raised in a worker in a traceback.
    """

    stream: Stream

    def __getitem__(self, number: int) -> Any:
        try:
            return self.stream[number]
        except InputError as error:
            return error


def _collate(samples: list[Any]) -> Any:
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
    try:
        return default_collate(samples)
    except RuntimeError as error:
        return InputError(
            f"samples of different sizes cannot share a batch ({error})",
            remedy="set batch: 1 and raise accumulate",
        )


def _begin_worker(parent: int, worker: int) -> None:  # noqa: ARG001  # torch passes its number
    end_with_parent(parent)
    # the main process decides when to stop, and still wants the batch
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _survive_once)


def _survive_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as signal wants
    """Leave the first SIGTERM to the main process: schedulers send it to the whole group."""
    signal.signal(number, signal.SIG_DFL)
