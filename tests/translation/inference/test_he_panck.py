"""The translation that comes with stainbridge, on generated tissue that it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stainbridge.datasets.generated_tiles import GeneratedTiles
from stainbridge.learn.named_weights import find_weights
from stainbridge.learn.weights import read_weights
from stainbridge.metrics.stains import dab_density
from stainbridge.settings import build, merge, read_yaml, to_dict
from stainbridge.translation.inference.model import read_model
from stainbridge.translation.objectives.pixels import tensor_to_pixels
from stainbridge.translation.training.config import GeneratedTissueConfig, TranslationTraining

CONFIGS = Path(__file__).parents[3] / "configs"
TISSUE = GeneratedTissueConfig(
    ("gland",), distance_um=0.0, shift_share=0.0, elastic_share=0.0, tiles_per_block=4
)


@pytest.mark.parametrize("name", ["he-panck-pretrain", "he-panck"])
def test_it_is_of_these_settings(name: str) -> None:
    preset, path = TranslationTraining.preset("pix2pix", "small"), CONFIGS / f"{name}.yaml"
    settings = build(TranslationTraining, merge(to_dict(preset), read_yaml(path)), path)
    stored = read_weights(find_weights("he-panck")).settings
    generator = settings.translation.generator
    assert build(type(generator), stored["generator"], path) == generator
    assert settings.translation.tile_px == stored["tile_px"]
    assert (
        settings.generated.distance_um
        == settings.generated.shift_share
        == settings.generated.elastic_share
        == 0
    )


def test_epithelium_becomes_brown_and_the_rest_does_not() -> None:
    model = read_model(find_weights("he-panck"))
    assert (model.source, model.target, model.mpp) == ("HE", "PanCK", 1.0)
    stream = GeneratedTiles(TISSUE, model.source, model.target, model.tile_px, 1.0, 31, paired=True)
    source, truth, *_ = zip(*(stream[number] for number in range(16)), strict=True)
    with torch.no_grad():
        made = model.generator(torch.stack(source))
    brown, wanted, before = (
        np.concatenate([dab_density(tensor_to_pixels(picture)).ravel() for picture in some])
        for some in (made, truth, source)
    )
    assert np.corrcoef(brown, wanted)[0, 1] > 0.6 > np.corrcoef(before, wanted)[0, 1]
    error, untranslated = (
        (torch.stack(truth) - some).square().mean() for some in (made, torch.stack(source))
    )
    assert error < untranslated / 5
