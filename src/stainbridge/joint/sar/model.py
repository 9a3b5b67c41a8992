"""A trained generator with its discriminators, read from a run to be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from stainbridge.joint.field import GreyField
from stainbridge.joint.sar.config import SarLossConfig
from stainbridge.joint.sar.task import (
    FLOATING_DISCRIMINATOR,
    GENERATOR,
    REFERENCE_DISCRIMINATOR,
    SarTask,
)
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import copy_weights, read_weights
from stainbridge.nn.sar_discriminator import SarDiscriminator, SarDiscriminatorConfig
from stainbridge.nn.sar_generator import SarGenerator, SarGeneratorConfig
from stainbridge.settings import build


@dataclass(frozen=True, eq=False)
class SarField(GreyField):
    """A trained generator as a field network, and what it is tuned with."""

    generator: SarGenerator
    """The same network as `network`."""
    discriminators: tuple[SarDiscriminator, SarDiscriminator]
    """Those of registered floating and of registered reference pictures."""
    loss: SarLossConfig
    """The weights of the terms that it was trained with."""


def load_sar(path: Path, device: str = "cpu") -> SarField:
    """Load a run of `train sar`, or a file of its weights.

    Raises `InputError` for a damaged file and for weights of something else.
    """
    stored = read_weights(path)
    check_task(stored, SarTask.name)
    settings = stored.settings
    generator = SarGenerator(build(SarGeneratorConfig, settings["generator"], stored.path))
    config = build(SarDiscriminatorConfig, settings["discriminator"], stored.path)
    of_reference, of_floating = SarDiscriminator(config), SarDiscriminator(config)
    networks = {
        GENERATOR: generator,
        REFERENCE_DISCRIMINATOR: of_reference,
        FLOATING_DISCRIMINATOR: of_floating,
    }
    copy_weights(stored, networks)
    for network in networks.values():
        network.eval().requires_grad_(False).to(device)
    return SarField(
        generator,
        int(settings["size_px"]),
        None,
        torch.device(device),
        generator,
        (of_reference, of_floating),
        build(SarLossConfig, settings["loss"], stored.path),
    )
