"""SAR as a task: what each optimiser moves, what the loss is made of, and a run that resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.joint.sar.pictures import Blobs, make_batch, make_training
from torch import nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.joint.sar.config import SarLossConfig, SarPairsConfig, SarTraining
from stainbridge.joint.sar.stream import SarSample, SarStream
from stainbridge.joint.sar.task import SarTask, measure_cycles
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import read_weights
from stainbridge.nn.fields import Fields, Term
from stainbridge.nn.sar_generator import SarMasks, SarOutput
from stainbridge.settings import build, to_dict


def make_task(**loss: float) -> SarTask:
    torch.manual_seed(2)
    task = SarTask(make_training(**loss))
    nn.init.normal_(task.generator.last.weight, std=0.02)
    return task


def make_truth(batch: SarSample) -> tuple[SarOutput, SarOutput]:
    """Return what a perfect generator would return for both directions."""

    def complete(picture: torch.Tensor, field: torch.Tensor, masks: torch.Tensor) -> SarOutput:
        own = SarMasks(masks, torch.full((len(masks), 2, 1, 1), 0.5), 0.05)
        return SarOutput(warp(picture, field, "zeros"), Fields(field, (Term(field),), field), own)

    given = torch.cat([batch.reference_mask, batch.floating_mask], 1)
    return (
        complete(batch.floating, batch.truth, given),
        complete(batch.reference, batch.applied, given.flip(1)),
    )


def test_every_network_learns_from_its_own_loss_alone() -> None:
    task = make_task()
    batch = make_batch()
    discriminators = (task.reference_discriminator, task.floating_discriminator)
    updates = task.updates(batch)
    generator = next(updates)
    assert generator.optimiser == "generator"
    generator.loss.backward(inputs=list(task.generator.parameters()))
    assert all(
        parameter.grad is not None and float(parameter.grad.abs().max()) > 0
        for parameter in task.generator.parameters()
        if parameter.requires_grad and parameter.ndim > 1
    )
    assert all(p.grad is None for network in discriminators for p in network.parameters())
    held = {id(p) for group in task.optimisers["generator"].param_groups for p in group["params"]}
    assert held == {id(p) for p in task.generator.parameters()}
    task.generator.zero_grad()
    discriminator = next(updates)
    discriminator.loss.backward()
    assert all(parameter.grad is None for parameter in task.generator.parameters())
    assert all(p.grad is not None for network in discriminators for p in network.parameters())


def test_the_loss_has_every_term_of_equation_6_and_each_has_its_weight() -> None:
    batch = make_batch()
    task = make_task()
    update = next(task.updates(batch))
    names = {
        "cycle", "field", "nmi", "ssim", "perceptual", "adversarial", "dice", "smoothness",
    }  # fmt: skip
    assert set(update.metrics) == names
    total = sum(float(term.detach()) for term in update.metrics.values())
    assert float(update.loss.detach()) == pytest.approx(total, rel=1e-5)
    twice = next(make_task(field_weight=2.0).updates(batch)).metrics["field"].detach()
    assert float(twice) == pytest.approx(2 * float(update.metrics["field"].detach()), rel=1e-4)
    bare = make_task(
        nmi_weight=0, ssim_weight=0, perceptual_weight=0, adversarial_weight=0, dice_weight=0
    )
    updates = list(bare.updates(batch))
    assert len(updates) == 1
    assert set(updates[0].metrics) == {"cycle", "field", "smoothness"}


def test_the_truth_has_a_lower_loss_than_no_field_in_every_term_but_the_judges() -> None:
    task = make_task()
    batch = make_batch()
    truth = make_truth(batch)
    still = make_truth(
        batch._replace(truth=torch.zeros_like(batch.truth), applied=torch.zeros_like(batch.applied))
    )
    with torch.no_grad():
        at_truth = task.terms(batch, *truth)
        at_rest = task.terms(batch, *still)
        assert float(at_truth["field"]) == 0
        for name in ("nmi", "ssim", "perceptual", "dice"):
            assert float(at_truth[name]) < float(at_rest[name]), name
        assert float(measure_cycles(batch, *truth)) < 0.05
        broken = (truth[0], still[1])
        assert float(measure_cycles(batch, *broken)) > float(measure_cycles(batch, *truth))


def test_without_segmentation_masks_take_no_part() -> None:
    settings = make_training().without_segmentation()
    task = SarTask(settings)
    batch = make_batch(has_masks=False)
    assert "dice" not in next(task.updates(batch)).metrics
    with torch.no_grad():
        assert set(task.measure(batch)) == {"rtre", "rtre_before"}


def test_measures_of_the_truth_and_pictures() -> None:
    task = make_task()
    batch = make_batch()
    with torch.no_grad():
        measures = task.measure(batch)
        assert 0 < measures["rtre_before"] < 0.1
        assert 0 <= measures["dice_before"] <= 1
        picture = task.picture(batch)
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * 48, 7 * 48, 3)


def make_data() -> TrainingData:
    pairs = make_training().pairs
    stream = SarStream(Blobs(), pairs, 0)
    return TrainingData(stream, stream.for_validation(1))


def test_a_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    settings = make_training()

    def run(folder: Path, steps: int, resume: bool = False) -> None:
        folder.mkdir(exist_ok=True)
        config = replace(settings.train, steps=steps)
        train(lambda: SarTask(settings), make_data(), config, folder, resume=resume)

    run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    torch.rand(3)
    run(tmp_path / "parts", 4, resume=True)
    whole, parts = (
        read_weights(tmp_path / name / "last.safetensors") for name in ("whole", "parts")
    )
    assert whole.tensors.keys() == parts.tensors.keys()
    assert all(torch.equal(tensor, parts.tensors[key]) for key, tensor in whole.tensors.items())
    assert build(SarLossConfig, whole.settings["loss"], tmp_path) == settings.loss


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_presets_survive_a_file(preset: str) -> None:
    settings = SarTraining.preset(preset)  # type: ignore[arg-type]
    assert build(SarTraining, to_dict(settings), "file") == settings


def test_the_paper_preset_has_the_papers_numbers() -> None:
    paper = SarTraining.preset("paper")
    assert (paper.optimiser.rate, paper.optimiser.beta1, paper.train.steps) == (1e-3, 0.93, 10**5)
    assert (paper.pairs.size_px, paper.pairs.displacement_px) == (512, (1.0, 20.0))
    weights = {name: value for name, value in vars(paper.loss).items() if name.endswith("_weight")}
    assert weights.pop("cycle_weight") == 10
    assert weights.pop("smoothness_weight") == 0
    assert set(weights.values()) == {1.0}
    assert len(paper.loss.perceptual.layers) == 13


def test_settings_that_make_no_training_are_refused() -> None:
    for wrong in (
        {"size_px": 16},
        {"displacement_px": (2.0, 1.0)},
        {"nodes": (0, 2)},
        {"others": 1.5},
    ):
        with pytest.raises(InputError):
            SarPairsConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out of range"):
        SarLossConfig(nmi_weight=-1)
    with pytest.raises(InputError, match="multiple of 2"):
        replace(make_training(), pairs=SarPairsConfig(size_px=49))
