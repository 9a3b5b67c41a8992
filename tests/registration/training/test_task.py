"""Registration networks as tasks: what is lowered, measured and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.nn.networks import TINY
from tests.registration.training.sections import Blobs

from stainbridge.errors import InputError
from stainbridge.geometry.flow import affine_displacement
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.data import check_inputs
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import read_weights
from stainbridge.nn.affine_net import AffineNetConfig
from stainbridge.nn.fields import Fields, Term
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.registration.training.config import (
    AffineTraining,
    AugmentConfig,
    DeformableTraining,
    LossConfig,
    OptimiserConfig,
    PairsConfig,
)
from stainbridge.registration.training.objective import dissimilarity, error_px, roughness
from stainbridge.registration.training.stream import PairStream, Sample
from stainbridge.registration.training.task import AffineTask, DeformableTask, RegistrationTask
from stainbridge.similarity.similarities import SIMILARITIES

NET = AffineNetConfig(patch_px=32, widths=(8, 16), features=16, groups=4, patch_pool=2, pool=2)
SMALL_MOVES = AugmentConfig(rotation_deg=(-8, 8), scale=(0.95, 1.05), shift=0.03)
SECTIONS = PairsConfig(section_px=(64, 64), augment=SMALL_MOVES, cached_pairs=2)
PATCHES = PairsConfig(
    section_px=(128, 128), patch_px=64, augment=replace(SMALL_MOVES, elastic=0.02), cached_pairs=2
)
RUN = TrainConfig(steps=2, batch=1, accumulate=2, workers=0, validation_samples=2, device="cpu")


def affine(objective: LossConfig | None = None, rate: float = 1e-3) -> AffineTraining:
    return AffineTraining(
        RUN,
        NET,
        SECTIONS,
        objective=objective or LossConfig("ncc"),
        optimiser=OptimiserConfig(rate),
    )


def deformable(name: str, objective: LossConfig | None = None) -> DeformableTraining:
    run = replace(RUN, batch=2, accumulate=1)
    smooth = objective or LossConfig("local-ncc", regulariser="diffusion", smoothness=1.0)
    return DeformableTraining(
        run, TINY[name], PATCHES, objective=smooth, optimiser=OptimiserConfig(1e-3)
    )


def batch(config: PairsConfig, count: int = 2) -> Sample:
    stream = PairStream(Blobs(), config, 0)
    samples = [stream[number] for number in range(count)]
    return Sample(*(torch.stack(parts) for parts in zip(*samples, strict=True)))


class Knowing(RegistrationTask):
    """Whose network knows the answer."""

    name = "knowing"

    def __init__(self, answer: torch.Tensor, share: float) -> None:
        super().__init__(torch.nn.Linear(1, 1), LossConfig("ncc"), OptimiserConfig())
        self.answer = answer
        self.share = share

    def settings(self) -> dict[str, Any]:
        return {}

    def fields(self, fixed: torch.Tensor, moving: torch.Tensor) -> Fields:
        displacement = self.answer * self.share
        return Fields(displacement, (Term(displacement),))


def test_knowing_the_truth_is_measured_as_no_error_and_looks_most_alike() -> None:
    seen = batch(PATCHES)
    right, half, nothing = (Knowing(seen.truth, share).measure(seen) for share in (1.0, 0.5, 0.0))
    assert right["rtre"] < 1e-4 < half["rtre"] < nothing["rtre"]
    assert nothing["rtre"] == pytest.approx(nothing["rtre_before"])
    assert right["dissimilarity"] < half["dissimilarity"] < nothing["dissimilarity"]
    losses = [
        float(next(iter(Knowing(seen.truth, share).updates(seen))).loss) for share in (1.0, 0.5)
    ]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("name", list(SIMILARITIES))
def test_every_similarity_prefers_the_truth(name: Any) -> None:
    seen = batch(replace(PATCHES, patch_px=96))
    config = LossConfig(name)
    weight = torch.ones_like(seen.fixed)
    same = dissimilarity(seen.fixed_density, seen.fixed_density, weight, config)
    other = dissimilarity(seen.fixed_density, seen.moving_density, weight, config)
    assert same < other


@pytest.mark.parametrize("name", ["tv", "diffusion", "bending", "curvature"])
def test_every_regulariser_prefers_the_smooth(name: Any) -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    wave = torch.stack([torch.sin(x / 4), torch.cos(y / 4)])[None]
    config = LossConfig(regulariser=name)
    assert (
        roughness(torch.ones_like(wave), config)
        < 1e-5
        < roughness(wave, config)
        < roughness(3 * wave, config)
    )


def test_the_error_counts_on_tissue_alone() -> None:
    displacement = torch.zeros(2, 2, 4, 4)
    truth = torch.zeros(2, 2, 4, 4)
    truth[:, 0, :, 2:] = 3.0
    truth[:, 1, :, 2:] = 4.0
    tissue = torch.zeros(2, 1, 4, 4)
    tissue[0, :, :, 1:] = 1
    tissue[1, :, :, :2] = 1
    assert torch.allclose(
        error_px(displacement, truth, tissue), torch.tensor([10 / 3, 0.0]), atol=2e-3
    )


def test_the_affine_network_trains_towards_the_truth() -> None:
    torch.manual_seed(0)
    seen = batch(SECTIONS, 1)
    task = AffineTask(affine(LossConfig("ncc", truth=1.0)))
    check_inputs(task.inputs(seen))
    losses = []
    for _ in range(40):
        (update,) = task.updates(seen)
        losses.append(float(update.loss.detach()))
        update.loss.backward()  # type: ignore[no-untyped-call]
        task.optimisers["loss"].step()
        task.optimisers["loss"].zero_grad()
    assert losses[-1] < losses[0] - 0.5 * abs(losses[0])


def test_the_affine_networks_field_is_affine() -> None:
    task = AffineTask(affine())
    fields = task.fields(torch.rand(1, 1, 40, 60), torch.rand(1, 1, 40, 60))
    matrix = task.network(torch.rand(1, 1, 40, 60), torch.rand(1, 1, 40, 60))
    assert fields.final.shape == affine_displacement(matrix, 40, 60).shape
    assert fields.terms[0].regularity == 0
    assert fields.final.diff(dim=3).diff(dim=3).abs().max() < 1e-4


@pytest.mark.parametrize("name", list(TINY))
def test_deformable_networks_train_in_the_loop(name: str, tmp_path: Any) -> None:
    config = deformable(name)
    stream = PairStream(Blobs(), config.pairs, 0)
    train(lambda: DeformableTask(config), TrainingData(stream, stream), config.train, tmp_path)
    stored = read_weights(tmp_path)
    assert stored.task == "deformable"
    assert stored.settings["network"]["kind"] == TINY[name].kind
    assert stored.settings["section_px"] == [128, 128]


def test_six_steps_are_three_and_three_more(tmp_path: Path) -> None:
    def run(folder: Path, steps: int, resume: bool = False) -> Mapping[str, torch.Tensor]:
        config = affine()
        folder.mkdir(exist_ok=True)
        data = TrainingData(
            PairStream(Blobs(), SECTIONS, 0), PairStream(Blobs(), SECTIONS, 1)
        )  # anew, as in a new process
        train(lambda: AffineTask(config), data, replace(RUN, steps=steps), folder, resume=resume)
        return read_weights(folder / "last.safetensors").tensors

    whole = run(tmp_path / "whole", 6)
    run(tmp_path / "parts", 3)
    parts = run(tmp_path / "parts", 6, resume=True)
    assert all(torch.equal(whole[name], parts[name]) for name in whole.keys() | parts.keys())


def test_the_picture_shows_fixed_moving_and_both() -> None:
    seen = batch(PATCHES)
    picture = Knowing(seen.truth, 1.0).picture(seen)
    height, width = seen.fixed.shape[-2:]
    assert picture.shape == (2 * height, 4 * width, 3)
    colour = np.ptp(picture.astype(int), axis=2)
    tissue = torch.cat(list(seen.tissue[:, 0])).numpy() > 0
    before, after = (
        colour[:, start * width : (start + 1) * width][tissue].mean() for start in (2, 3)
    )
    assert colour[:, : 2 * width].max() == 0
    assert after < 0.6 * before


def test_the_rate_decays_by_epochs() -> None:
    config = replace(affine(), optimiser=OptimiserConfig(1e-4, 0.5, epoch_steps=10))
    task = AffineTask(config)
    assert [task.rate(step) for step in (0, 9, 10, 25)] == [1, 1, 0.5, 0.25]


@pytest.mark.parametrize("preset", ["paper", "small"])
def test_presets(preset: Any) -> None:
    assert AffineTraining.preset(preset).network == AffineNetConfig.preset(preset)
    for name in DEFORMABLE_NETWORKS:
        config: Any = DeformableTraining.preset(preset, name)
        assert config.network.kind == name
    paper = DeformableTraining.preset("paper")
    assert (paper.pairs.patch_px, paper.optimiser.rate, paper.objective.regulariser) == (
        256,
        1e-4,
        "tv",
    )
    assert AffineTraining.preset("paper").objective == LossConfig("ncc")


def test_an_unknown_similarity_is_one_line() -> None:
    with pytest.raises(InputError, match=r"no such similarity; expected ncc, .*; got likeness"):
        LossConfig("likeness")
