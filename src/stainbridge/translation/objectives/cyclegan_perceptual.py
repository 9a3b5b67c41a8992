"""CycGANRegNet's CycleGAN: a perceptual loss in place of the identity term.

The paper compares one layer φ_j of VGG-16 and does not say which. Here it is relu2_2, which Johnson
et al. 2016, whom it follows, compare for super-resolution. Early layers keep colour and exact
shape, and a value of relu2_2 sees about a nucleus. `PerceptualConfig.layers` chooses others.
"""

from __future__ import annotations

from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.cyclegan import CYCLEGAN_TRAINING, CycleConfig, CycleTask
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.objectives.preset_networks import single_patchgan
from stainbridge.translation.objectives.published import PublishedObjective


def cyclegan_perceptual(preset: TrainingPreset) -> TranslationConfig:
    """Return CycleGAN with a perceptual loss, at a rate that never falls."""
    return TranslationConfig(
        ResNetConfig.preset(preset),
        single_patchgan(preset, 3, "instance"),
        CycleConfig(cycle_weight=1.0, perceptual_weight=1.0),
        AdamConfig(rate=1e-4, steady_steps=200_000, decay_steps=0),
    )


OBJECTIVE = PublishedObjective(CycleConfig, CycleTask, cyclegan_perceptual, CYCLEGAN_TRAINING)
