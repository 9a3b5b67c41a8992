"""Pyramid pix2pix: pix2pix that also compares blurred tiles, for pairs aligned in structure only.

Liu et al. 2022, "BCI: Breast Cancer Immunohistochemical Image Generation through Pyramid Pix2pix",
arXiv:2204.11425.
"""

from __future__ import annotations

from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.pix2pix import PairedConfig, PairedTask
from stainbridge.translation.objectives.preset_networks import dropout_resnet, single_patchgan
from stainbridge.translation.objectives.published import BCI_TRAINING, PublishedObjective


def pyramid_pix2pix(preset: TrainingPreset) -> TranslationConfig:
    """Return pyramid pix2pix with one scale."""
    return TranslationConfig(
        dropout_resnet(preset),
        single_patchgan(preset, 6, "batch"),
        PairedConfig(pixel_weight=25.0, scale_weights=(25.0,)),
    )


OBJECTIVE = PublishedObjective(PairedConfig, PairedTask, pyramid_pix2pix, BCI_TRAINING)
