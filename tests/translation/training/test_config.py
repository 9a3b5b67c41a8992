"""Settings of a training: presets, and files of version 0.1.0."""

from __future__ import annotations

import pytest

from stainbridge.errors import InputError
from stainbridge.nn.perceptual import SEEDED, VGG16
from stainbridge.settings import build, merge, to_dict
from stainbridge.translation.objectives.cyclegan import CycleConfig
from stainbridge.translation.objectives.pix2pix import PairedConfig
from stainbridge.translation.objectives.supervised_patchnce import ContrastConfig
from stainbridge.translation.objectives.table import OBJECTIVES
from stainbridge.translation.training.config import (
    GeneratedTissueConfig,
    TileSamplingConfig,
    TranslationTraining,
)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_presets_survive_yaml_and_differ(name: str) -> None:
    small, paper = (TranslationTraining.preset(name, preset) for preset in ("small", "paper"))
    for settings in (small, paper):
        assert build(TranslationTraining, to_dict(settings), "x") == settings
        assert settings.train.precision == "auto"
        assert settings.train.channels_last
    assert small.translation.tile_px < paper.translation.tile_px
    adam = paper.translation.optimiser
    if adam.decay_steps:
        assert adam.steady_steps + adam.decay_steps == paper.train.steps


def test_the_perceptual_network_is_named() -> None:
    translation = TranslationTraining.preset("cyclegan-perceptual", "small").translation
    assert translation.objective.perceptual_network == SEEDED
    objective = translation.objective
    assert isinstance(objective, CycleConfig)
    weighted = objective.with_perceptual_weights("vgg16.safetensors")
    assert weighted.perceptual_network == VGG16
    plain = TranslationTraining.preset("pix2pix", "small").translation.objective
    assert plain.perceptual_network is None
    with pytest.raises(InputError, match=r"vgg16.safetensors: the objective has no perceptual"):
        plain.with_perceptual_weights("vgg16.safetensors")
    cyclegan = TranslationTraining.preset("cyclegan", "small").translation.objective
    with pytest.raises(InputError, match="no perceptual loss"):
        cyclegan.with_perceptual_weights("vgg16.safetensors")


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match="min_tissue out of range"):
        TileSamplingConfig(min_tissue=1.5)
    with pytest.raises(InputError, match="out of range"):
        GeneratedTissueConfig(shift_share=-0.1)
    with pytest.raises(InputError, match="out of range"):
        GeneratedTissueConfig(cached_blocks=0)


def test_settings_of_version_0_1_0_load() -> None:
    """As configuration files, over a preset, and as a run's own whole settings."""
    preset = TranslationTraining.preset("pyramid-pix2pix", "small")
    old = {
        "translation": {"objective": {"pixel": 3.0, "scales": [1.0, 2.0], "matching": 4.0}},
        "tiles": {"turned": False},
        "generated": {
            "shift": 0.1,
            "elastic": 0.2,
            "laboratory": 0.4,
            "per_block": 5,
            "at_hand": 6,
        },
    }
    settings = build(TranslationTraining, merge(to_dict(preset), old), "old.yaml")
    assert settings.translation.objective == PairedConfig(
        pixel_weight=3.0, scale_weights=(1.0, 2.0), feature_matching_weight=4.0
    )
    assert not settings.tiles.rotate_and_flip
    assert settings.generated == GeneratedTissueConfig(
        shift_share=0.1,
        elastic_share=0.2,
        laboratory_variation=0.4,
        tiles_per_block=5,
        cached_blocks=6,
    )
    cycle = {"kind": "cycle", "cycle": 1.0, "identity": 2.0, "feature": 3.0, "buffer": 4}
    assert build(CycleConfig, cycle, "old.yaml") == CycleConfig(
        cycle_weight=1.0, identity_weight=2.0, perceptual_weight=3.0, buffer_size=4
    )
    contrast = {
        "source": 1.0,
        "target": 2.0,
        "gaussian": 3.0,
        "levels": [1.0],
        "places": 9,
        "width": 8,
    }
    assert build(ContrastConfig, contrast, "old.yaml") == ContrastConfig(
        source_weight=1.0,
        target_weight=2.0,
        gaussian_weight=3.0,
        level_weights=(1.0,),
        locations=9,
        embedding_width=8,
    )
