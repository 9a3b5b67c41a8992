"""A new network is one file and one line: it is then configured, trained and read as any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.nn.shift_net import ShiftNet, ShiftNetConfig
from tests.nn.test_networks import SHIFT_ENTRY
from tests.registration.training.sections import Blobs

from stainbridge.learn.config import TrainConfig
from stainbridge.learn.loop import TrainingData, train
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.training.config import DeformableTraining, PairsConfig
from stainbridge.registration.training.stream import PairStream
from stainbridge.registration.training.task import DeformableTask
from stainbridge.settings import build, merge, to_dict

RUN = TrainConfig(steps=2, batch=1, workers=0, validation_samples=1, device="cpu")
PAIRS = PairsConfig(section_px=(64, 64), cached_pairs=1)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> DeformableTraining:
    """A training of the toy, as a settings file would ask for it."""
    monkeypatch.setitem(DEFORMABLE_NETWORKS, "shift", SHIFT_ENTRY)
    preset = DeformableTraining.preset("small", "shift")
    values = merge(to_dict(preset), {"network": {"kind": "shift", "initial_px": 3.0}})
    return replace(build(DeformableTraining, values, "a.yaml"), train=RUN, pairs=PAIRS)


def test_it_is_configured_by_name(config: DeformableTraining) -> None:
    assert config.network == ShiftNetConfig(initial_px=3.0)


def test_it_trains_and_its_weights_are_read(config: DeformableTraining, tmp_path: Path) -> None:
    data = TrainingData(PairStream(Blobs(), PAIRS, 0), PairStream(Blobs(), PAIRS, 1))
    checkpoint = train(lambda: DeformableTask(config), data, config.train, tmp_path)
    assert checkpoint.step == 2
    network = LearnedField.load(tmp_path / "last.safetensors").network
    assert isinstance(network, ShiftNet)
    assert not torch.allclose(network.shift, torch.tensor(3.0))


def test_settings_of_version_0_1_0_still_load() -> None:
    values = {
        "train": {"held": 16},
        "network": {"kind": "fcn"},
        "pairs": {"at_hand": 4, "kept": 2000, "patch_px": 128},
    }
    config = build(DeformableTraining, merge(to_dict(DeformableTraining()), values), "a.yaml")
    assert config.train.validation_samples == 16
    assert (config.pairs.cached_pairs, config.pairs.stored_samples) == (4, 2000)
