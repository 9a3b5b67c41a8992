"""A trained generator with its discriminators, read from a run to be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stainbridge.geometry.transform import DisplacementField, Transform
from stainbridge.joint.field import GreyField
from stainbridge.joint.sar.config import SarLossConfig
from stainbridge.joint.sar.task import (
    FLOATING_DISCRIMINATOR,
    GENERATOR,
    REFERENCE_DISCRIMINATOR,
    SarTask,
)
from stainbridge.joint.sar.tune import TuneConfig, tune_generator
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import build_stored, copy_weights, header_errors, read_weights
from stainbridge.nn.sar_discriminator import SarDiscriminator, SarDiscriminatorConfig
from stainbridge.nn.sar_generator import SarGenerator, SarGeneratorConfig
from stainbridge.registration.sections.density import Masks
from stainbridge.settings import build
from stainbridge.slides.slide import Slide


@dataclass(frozen=True, eq=False)
class SarField(GreyField):
    """A trained generator as a field network, and what it is tuned with."""

    generator: SarGenerator
    """The same network as `network`."""
    discriminators: tuple[SarDiscriminator, SarDiscriminator]
    """Those of registered floating and of registered reference pictures."""
    loss: SarLossConfig
    """The weights of the terms that it was trained with."""

    def tune(
        self,
        fixed: Slide,
        moving: Slide,
        placement: Transform,
        masks: Masks,
        config: TuneConfig,
    ) -> SarField:
        """Return the same with a generator that is tuned to these slides as they are placed.

        Raises `InputError` for a slide without tissue.
        """
        view, read_pair = self.open_pair(fixed, moving, placement, masks)
        pictures = read_pair(view)
        tuned = tune_generator(self.generator, self.discriminators, self.loss, pictures, config)
        return replace(self, network=tuned.generator, generator=tuned.generator)


@dataclass(frozen=True, eq=False)
class TunedSarField:
    """A trained generator that is tuned to each pair before it registers it."""

    field: SarField
    """The generator as it was trained."""
    config: TuneConfig
    """How it is tuned."""

    def register_slides(
        self, fixed: Slide, moving: Slide, placement: Transform, masks: Masks
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`.

        Raises `InputError` for a slide without tissue.
        """
        tuned = self.field.tune(fixed, moving, placement, masks, self.config)
        return tuned.register_slides(fixed, moving, placement, masks)


def load_sar(path: Path, device: str = "cpu") -> SarField:
    """Load a run of `train sar`, or a file of its weights.

    Raises `InputError` for a damaged file and for weights of something else.
    """
    stored = read_weights(path)
    check_task(stored, SarTask.name)
    settings = stored.settings
    with header_errors(stored):
        generator_config = build(SarGeneratorConfig, settings["generator"], stored.path)
        config = build(SarDiscriminatorConfig, settings["discriminator"], stored.path)
        loss = build(SarLossConfig, settings["loss"], stored.path)
        size_px = int(settings["size_px"])
    generator = build_stored(stored, lambda: SarGenerator(generator_config))
    of_reference, of_floating = (
        build_stored(stored, lambda: SarDiscriminator(config)) for _ in range(2)
    )
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
        size_px,
        None,
        torch.device(device),
        False,  # there is no pixel size to compare
        generator,
        (of_reference, of_floating),
        loss,
    )
