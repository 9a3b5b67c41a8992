"""The table of objectives: a new one is a module and a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.translation.tiny import TileStream, batch
from tests.translation.toy_objective import ToyConfig, ToyTask

from stainbridge.errors import InputError
from stainbridge.learn.loop import TrainingData, train
from stainbridge.settings import build, merge, read_yaml, to_dict, to_yaml
from stainbridge.translation.inference.model import read_model
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.table import OBJECTIVES, load_objective, make_task
from stainbridge.translation.training.config import TranslationTraining
from stainbridge.translation.training.model_card import render_model_card


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_line_is_an_objective_with_presets_of_its_own_kind(name: str) -> None:
    objective = load_objective(name)
    for preset in ("small", "paper"):
        config = TranslationConfig.preset(name, preset)  # type: ignore[arg-type]
        assert isinstance(config.objective, objective.config)
        assert config.name == name


def test_a_name_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown objective; expected cyclegan, .*; got pixpix"):
        TranslationConfig.preset("pixpix")


def test_an_objective_added_by_one_line_trains_as_train_translate_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OBJECTIVES, "toy", "tests.translation.toy_objective")
    preset = TranslationTraining.preset("toy", "small")
    train_settings = {"steps": 2, "workers": 0, "validation_samples": 2, "device": "cpu"}
    over = {"translation": {"tile_px": 32, "objective": {"pixel_weight": 3.0}}}
    values = merge(merge(to_dict(preset), over), {"train": train_settings})
    settings = build(TranslationTraining, values, "config.yaml")
    assert settings.translation.objective == ToyConfig(pixel_weight=3.0)
    (tmp_path / "config.yaml").write_text(to_yaml(settings), encoding="utf-8")
    stored = read_yaml(tmp_path / "config.yaml")
    assert build(TranslationTraining, stored, "config.yaml") == settings

    assert isinstance(make_task(settings.translation), ToyTask)
    data = TrainingData(TileStream(0), TileStream(1))
    place = train(lambda: make_task(settings.translation), data, settings.train, tmp_path)
    assert place.step == 2
    model = read_model(tmp_path)
    assert model.objective == "toy"
    with torch.no_grad():
        assert model.generator(batch().source).isfinite().all()
    assert "| objective | toy |" in render_model_card(settings, "tiles", [], "1")


def test_without_its_line_its_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(OBJECTIVES, "toy", "tests.translation.toy_objective")
        config = TranslationConfig.preset("toy", "small")
    with pytest.raises(InputError, match=r"objective: unknown kind; .*; got toy"):
        build(TranslationConfig, to_dict(config), "toy.yaml")
    with pytest.raises(InputError, match="no objective of this kind is in the table; got toy"):
        make_task(replace(config, name=""))
