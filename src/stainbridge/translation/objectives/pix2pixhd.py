"""pix2pixHD: a coarse-to-fine generator, several discriminators, and matching of their features.

Wang et al. 2018, arXiv:1711.11585.
"""

from __future__ import annotations

from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.patchgan import PatchGANConfig
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.pix2pix import PairedConfig, PairedTask
from stainbridge.translation.objectives.published import BCI_TRAINING, PublishedObjective


def pix2pixhd(preset: TrainingPreset) -> TranslationConfig:
    """Return pix2pixHD, whose generator is not compared pixel by pixel."""
    patch = PatchGANConfig(width=PatchGANConfig.preset(preset).width, channels=6, padding=2)
    return TranslationConfig(
        CoarseToFineConfig.preset(preset),
        MultiscaleDiscriminatorConfig(patch=patch),
        PairedConfig(adversary="least-squares", pixel_weight=0.0, feature_matching_weight=10.0),
    )


OBJECTIVE = PublishedObjective(PairedConfig, PairedTask, pix2pixhd, BCI_TRAINING)
