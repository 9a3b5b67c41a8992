"""pix2pix with the generator of its paper, a U-Net."""

from __future__ import annotations

from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.pix2pix import PairedConfig, PairedTask
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import BCI_TRAINING, PublishedObjective


def pix2pix_unet(preset: TrainingPreset) -> TranslationConfig:
    """Return pix2pix with a U-Net."""
    return TranslationConfig(
        UNetConfig.preset(preset), single_patchgan(preset, 6, "batch"), PairedConfig()
    )


OBJECTIVE = PublishedObjective(PairedConfig, PairedTask, pix2pix_unet, BCI_TRAINING)
