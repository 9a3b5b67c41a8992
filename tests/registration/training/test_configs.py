"""The settings that the shipped weights of registration were trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stainbridge.learn.named_weights import find_weights, list_shipped_weights
from stainbridge.learn.weights import read_weights
from stainbridge.registration.training.config import AffineTraining, DeformableTraining
from stainbridge.settings import build, merge, read_yaml, to_dict

CONFIGS = Path(__file__).parents[3] / "configs"
PRESETS: dict[str, Any] = {
    "affine-net": AffineTraining.preset("small"),
    "unet-svf": DeformableTraining.preset("small", "unet-svf"),
    "multiscale-fcn": DeformableTraining.preset("small", "multiscale-fcn"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_they_are_settings_and_say_what_network_it_is(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    settings = build(type(PRESETS[name]), merge(to_dict(PRESETS[name]), read_yaml(path)), path)
    assert settings.network.kind == name
    assert settings.pairs.stored_samples


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in list_shipped_weights()
        if read_weights(find_weights(name)).task != "translate"
    ],
)
def test_shipped_weights_are_of_these_settings(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    settings = build(type(PRESETS[name]), merge(to_dict(PRESETS[name]), read_yaml(path)), path)
    assert to_dict(settings.network) == read_weights(find_weights(name)).settings["network"]
