"""Another network on SAR's pairs: samples and a task of the training loop, and its runs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stainbridge.joint.field import GreyField
from stainbridge.joint.sar.comparator import ComparatorConfig
from stainbridge.joint.sar.stream import SarStream
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import build_stored, copy_weights, header_errors, read_weights
from stainbridge.nn.deformable import build_deformable, read_deformable_config
from stainbridge.nn.fields import Fields
from stainbridge.registration.training.stream import Sample
from stainbridge.registration.training.task import RegistrationTask
from stainbridge.settings import to_dict


@dataclass(frozen=True)
class ComparatorStream:
    """SAR's pairs as samples of a registration network. A `learn.task.Stream`."""

    pairs: SarStream
    """The pairs."""

    def __getitem__(self, number: int) -> Sample:
        """Return pair `number`.

        The distance to the truth counts where the reference is not black and the field is known.
        """
        pair = self.pairs[number]
        inside = (pair.reference > 0).to(pair.reference.dtype) * pair.known
        pictures = (pair.reference, pair.floating)
        return Sample(*pictures, *pictures, inside, pair.truth)


class ComparatorTask(RegistrationTask):
    """Trains a deformable network as `train deformable` does, on grey pictures."""

    name = "sar-comparator"

    def __init__(self, config: ComparatorConfig, size_px: int) -> None:
        self._net = build_deformable(config.network)
        self._config = config
        self._size_px = size_px
        super().__init__(self._net, config.objective, config.optimiser)

    def settings(self) -> Mapping[str, Any]:
        """Return what the network is built from, and the size that it was trained at."""
        return {"network": to_dict(self._config.network), "size_px": self._size_px}

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the network's fields."""
        fields: Fields = self._net(fixed, moving)
        return fields


def load_comparator(path: Path, device: str = "cpu") -> GreyField:
    """Load a run of `train sar --network`, or a file of its weights.

    Raises `InputError` for a damaged file and for weights of something else.
    """
    stored = read_weights(path)
    check_task(stored, ComparatorTask.name)
    with header_errors(stored):
        config = read_deformable_config(stored.settings["network"], stored.path)
        size_px = int(stored.settings["size_px"])
    network = build_stored(stored, lambda: build_deformable(config))
    copy_weights(stored, {"network": network})
    network.eval().requires_grad_(False).to(device)
    # there is no pixel size to compare
    return GreyField(network, size_px, None, torch.device(device), calibrated=False)
