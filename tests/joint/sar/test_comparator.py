"""Another network on SAR's pairs: what it is shown, what it learns, and its run read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.joint.sar.pictures import SIZE_PX, Blobs, make_training

from stainbridge.joint.models import load_field
from stainbridge.joint.sar.comparator import ComparatorConfig
from stainbridge.joint.sar.comparator_task import ComparatorStream, ComparatorTask, load_comparator
from stainbridge.joint.sar.config import SarPairsConfig, SarTraining
from stainbridge.joint.sar.stream import SarStream
from stainbridge.learn.loop import TrainingData, train
from stainbridge.registration.training.config import DeformableTraining
from stainbridge.settings import build, to_dict

NETWORKS = ("dirnet", "flownet-s", "unet-svf")


def make_stream(others: float) -> ComparatorStream:
    return ComparatorStream(SarStream(Blobs(), SarPairsConfig(SIZE_PX, others=others), 5))


def test_a_sample_is_the_pair_of_sar() -> None:
    stream = make_stream(0.0)
    pair = stream.pairs[3]
    sample = stream[3]
    for shown in ("fixed", "fixed_density"):
        assert torch.equal(getattr(sample, shown), pair.reference)
    for shown in ("moving", "moving_density"):
        assert torch.equal(getattr(sample, shown), pair.floating)
    assert torch.equal(sample.truth, pair.truth)
    assert torch.equal(sample.tissue, (pair.reference > 0).float())


def test_a_field_that_is_not_known_is_not_learned() -> None:
    assert float(make_stream(1.0)[3].tissue.max()) == 0


@pytest.mark.parametrize("network", NETWORKS)
def test_a_run_is_read_as_it_was_trained(network: str, tmp_path: Path) -> None:
    settings = make_training().with_comparator("small", network)
    assert settings.comparator is not None
    config = replace(settings.train, steps=3)
    stream = make_stream(0.0)
    tasks: list[ComparatorTask] = []

    def make_task() -> ComparatorTask:
        assert settings.comparator is not None
        tasks.append(ComparatorTask(settings.comparator, SIZE_PX))
        return tasks[-1]

    train(make_task, TrainingData(stream, stream), config, tmp_path)
    field = load_comparator(tmp_path / "last.safetensors")
    assert isinstance(load_field(tmp_path), type(field))
    assert field.longest_px == SIZE_PX
    sample = stream[9]
    pictures = (sample.fixed[None], sample.moving[None])
    with torch.inference_mode():
        trained = tasks[-1].networks["network"].eval()(*pictures).final
    assert torch.equal(field.network.field(*pictures), trained)
    assert float(trained.abs().max()) > 0


def test_the_loss_is_that_of_train_deformable() -> None:
    config = ComparatorConfig.preset("small", "dirnet")
    training = DeformableTraining.preset("small", "dirnet")
    assert (config.network, config.objective) == (training.network, training.objective)
    settings = SarTraining.preset("small").with_comparator("small", "dirnet")
    assert settings.loss.perceptual_weight == 0
    assert build(SarTraining, to_dict(settings), "file") == settings
