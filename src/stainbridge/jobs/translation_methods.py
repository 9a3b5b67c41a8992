"""Trained models as methods of an evaluation of translations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.compute import DeviceChoice
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from torch import device

    from stainbridge.evaluate.translation import TranslateFunction, TranslationMethod
    from stainbridge.nn.generators import Generator
    from stainbridge.translation.inference.model import Model

#: The name of the row for the source itself, not translated.
UNTRANSLATED = "untranslated"
#: Files of weights whose name does not say which run they are of.
RUN_WEIGHTS = ("best.safetensors", "last.safetensors")


def make_methods(models: Sequence[Model], device_name: DeviceChoice) -> list[TranslationMethod]:
    """Return a method for each model, named as briefly as tells them apart.

    The first method does nothing, where source and target have the same channels. Raises
    `InputError` for models that differ in channels.
    """
    import torch

    from stainbridge.compute import choose_device
    from stainbridge.evaluate.translation import TranslationMethod

    expected = (models[0].source_channels, models[0].target_channels)
    for model in models[1:]:
        channels = (model.source_channels, model.target_channels)
        if channels != expected:
            raise InputError(
                "models of other channels", where=model.path, expected=expected, got=channels
            )
    place = torch.device(choose_device(device_name))
    names = name_models([model.path for model in models])
    methods = [_make_method(name, model, place) for name, model in zip(names, models, strict=True)]
    if models[0].source_channels == models[0].target_channels:
        methods.insert(0, TranslationMethod(UNTRANSLATED, lambda pixels: pixels))
    return methods


def _make_method(name: str, model: Model, place: device) -> TranslationMethod:
    """Return a model's forward translation and, where it has one, the backward translation."""
    from stainbridge.evaluate.translation import TranslationMethod
    from stainbridge.translation.inference.inference import Inference, translate_picture

    def make_function(network: Generator, channels: int) -> TranslateFunction:
        inference = Inference(network.to(place), channels, place)
        return partial(translate_picture, inference, model.period)

    backward = None
    if model.reverse_generator is not None:
        backward = make_function(model.reverse_generator, model.target_channels)
    return TranslationMethod(name, make_function(model.generator, model.source_channels), backward)


def name_models(paths: Sequence[Path]) -> list[str]:
    """Return run folders' own names, or whole paths where own names are not different."""
    runs = [path.parent if path.name in RUN_WEIGHTS else path for path in paths]
    short = [run.stem if run.suffix == ".safetensors" else run.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run) for run in runs]
