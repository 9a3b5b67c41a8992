"""Presets of training, and the model card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stainbridge.errors import InputError
from stainbridge.nn.perceptual import SEEDED, VGG16
from stainbridge.settings import build, to_dict
from stainbridge.translation.objectives.config import OBJECTIVES, CycleConfig, ObjectiveName
from stainbridge.translation.training.card import model_card, perceptual_name
from stainbridge.translation.training.training import (
    GeneratedTissue,
    TilesConfig,
    TranslationTraining,
)

ROWS = [
    {"step": "0", "held_coarse_l1": "0.5", "held_psnr_db": "9"},
    {"step": "20", "held_coarse_l1": "0.1", "held_psnr_db": "21.5"},
    {"step": "30", "held_coarse_l1": "", "held_psnr_db": ""},
    {"step": "40", "held_coarse_l1": "0.2", "held_psnr_db": "18"},
]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_presets_survive_yaml_and_differ(name: ObjectiveName) -> None:
    small, paper = (TranslationTraining.preset(name, preset) for preset in ("small", "paper"))
    for settings in (small, paper):
        assert build(TranslationTraining, to_dict(settings), "x") == settings
        assert settings.train.precision == "bf16"
        assert settings.train.channels_last
    assert small.translation.tile_px < paper.translation.tile_px
    adam = paper.translation.optimiser
    if adam.decay_steps:
        assert adam.steady_steps + adam.decay_steps == paper.train.steps


def test_the_perceptual_network_is_named() -> None:
    translation = TranslationTraining.preset("cyclegan-perceptual", "small").translation
    assert perceptual_name(translation) == SEEDED
    objective = translation.objective
    assert isinstance(objective, CycleConfig)
    weighted = replace(
        objective, perceptual=replace(objective.perceptual, weights="vgg16.safetensors")
    )
    assert perceptual_name(replace(translation, objective=weighted)) == VGG16
    assert perceptual_name(TranslationTraining.preset("pix2pix", "small").translation) is None


def test_a_card_tells_the_best_row_and_what_stood_in() -> None:
    settings = TranslationTraining.preset("pix2pix", "small")
    card = model_card(settings, "tiles", ROWS, "1.2")
    assert "after 20 steps" in card
    assert "| PSNR, dB | 21.5 |" in card
    assert "No ImageNet weights" not in card
    fallback = model_card(
        TranslationTraining.preset("cyclegan-perceptual", "small"), "tiles", [], "1.2"
    )
    assert "**No ImageNet weights were given**" in fallback
    assert "| perceptual network | seeded-" in fallback
    assert "Nothing has been measured yet." in fallback


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match="min_tissue is a share"):
        TilesConfig(min_tissue=1.5)
    with pytest.raises(InputError, match="must not be negative"):
        GeneratedTissue(shift=-0.1)
    with pytest.raises(InputError, match="must be positive"):
        GeneratedTissue(at_hand=0)
