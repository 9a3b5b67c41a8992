"""A trained translation, read from a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.translation.tiny import SIDE, TileStream, batch, tiny

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import read_weights, write_weights
from stainbridge.translation.inference.model import read_model
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.table import make_task
from stainbridge.translation.objectives.task import TranslationTask


def run(folder: Path, name: str) -> TranslationTask:
    """A run of one step in `folder`, and its task as the run left it."""
    config = replace(tiny(name), name=name, source="HE", target="Ki67", mpp=0.5)
    made: list[TranslationTask] = []

    def make() -> TranslationTask:
        made.append(make_task(config))
        return made[-1]

    folder.mkdir()
    train(
        make,
        TrainingData(TileStream(0), TileStream(1)),
        TrainConfig(1, 2, workers=0, validation_samples=2, device="cpu"),
        folder,
    )
    return made[-1]


@pytest.mark.parametrize("name", ["pix2pix-unet", "pix2pixhd", "cyclegan"])
def test_a_model_makes_what_the_trained_network_made(tmp_path: Path, name: str) -> None:
    task = run(tmp_path / "run", name)
    model = read_model(tmp_path / "run" / "last.safetensors")
    source = batch(1).source
    task.generator.eval()
    with torch.no_grad():
        assert torch.equal(model.generator(source), task.generator(source))
    assert (model.objective, model.source, model.target, model.mpp) == (name, "HE", "Ki67", 0.5)
    assert (model.source_channels, model.target_channels, model.tile_px) == (3, 3, SIDE)
    assert not model.generator.training
    assert SIDE % model.period == 0
    assert (model.reverse_generator is not None) == (name == "cyclegan")


def test_a_folder_gives_its_best_weights(tmp_path: Path) -> None:
    run(tmp_path / "run", "pix2pix-unet")
    assert read_model(tmp_path / "run").path.name == "best.safetensors"


def test_only_what_was_learned_both_ways_is_turned_round(tmp_path: Path) -> None:
    run(tmp_path / "there", "pix2pix-unet")
    run(tmp_path / "both", "cyclegan")
    with pytest.raises(InputError, match="does not translate Ki67 to HE"):
        read_model(tmp_path / "there").reverse()
    model = read_model(tmp_path / "both")
    back = model.reverse()
    assert (back.source, back.target) == ("Ki67", "HE")
    assert back.generator is model.reverse_generator


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "run", "pix2pix-unet")
    stored = read_weights(tmp_path / "run")
    other, cut = tmp_path / "other.safetensors", tmp_path / "cut.safetensors"
    write_weights(other, stored.tensors, {**stored.header, "task": "affine"})
    with pytest.raises(InputError, match="expected translate; got affine"):
        read_model(other)
    without = {key: tensor for key, tensor in stored.tensors.items() if "head" not in key}
    write_weights(cut, without, stored.header)
    with pytest.raises(InputError, match="another architecture"):
        read_model(cut)
    with pytest.raises(InputError, match="no weights there"):
        read_model(tmp_path / "nowhere.safetensors")


def test_a_configuration_names_its_objective_and_pixel_sizes_are_positive() -> None:
    assert TranslationConfig.preset("pix2pix", "small").name == "pix2pix"
    with pytest.raises(InputError, match="mpp out of range"):
        replace(tiny("pix2pix"), mpp=0.0)
