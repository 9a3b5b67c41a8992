"""Translation as tasks of the training loop."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.translation.tiny import SIDE, TileStream, batch, tiny

from stainbridge.compute import Precision
from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import read_weights
from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.patchgan import PatchGANConfig
from stainbridge.nn.perceptual import SEEDED
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.settings import build, to_dict
from stainbridge.translation.objectives.comparison import picture_distances, picture_rows
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.cyclegan import CycleConfig, CycleTask
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.objectives.pix2pix import PairedConfig
from stainbridge.translation.objectives.reg_gan import RegGanConfig
from stainbridge.translation.objectives.step_counter import StepCounter
from stainbridge.translation.objectives.supervised_patchnce import ContrastConfig
from stainbridge.translation.objectives.table import OBJECTIVES, make_task
from stainbridge.translation.objectives.task import TilePair, TranslationTask
from stainbridge.translation.objectives.terms import perceptual


def run(
    folder: Path,
    name: str,
    steps: int,
    *,
    resume: bool = False,
    precision: Precision = "32",
) -> Path:
    """Train a tiny translation in `folder`."""
    folder.mkdir(exist_ok=True)
    config = TrainConfig(
        steps,
        2,
        workers=0,
        validation_samples=2,
        device="cpu",
        precision=precision,
        validate_every=2,
    )
    train(
        lambda: make_task(tiny(name)),
        TrainingData(TileStream(0), TileStream(1)),
        config,
        folder,
        resume=resume,
    )
    return folder / "last.safetensors"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_all_its_networks(tmp_path: Path, name: str) -> None:
    before, after = (
        read_weights(run(tmp_path / str(steps), name, steps)).tensors for steps in (0, 2)
    )
    torch.manual_seed(0)
    learning = {
        f"networks.{network}.{key}"
        for network, module in make_task(tiny(name)).networks.items()
        for key, parameter in module.named_parameters()
        # A bias before instance normalisation has no effect, and with two gradients of 0 Adam
        # stays.
        if not key.endswith("bias") and parameter.requires_grad
    }
    assert learning
    assert {key for key in learning if torch.equal(before[key], after[key])} == set()
    assert all(
        bool(torch.isfinite(tensor).all())
        for tensor in after.values()
        if tensor.is_floating_point()
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_resumed_run_is_the_one_that_was_never_stopped(tmp_path: Path, name: str) -> None:
    """Buffers of made pictures and the clock of adaptive weights included."""
    whole = read_weights(run(tmp_path / "whole", name, 4)).tensors
    run(tmp_path / "parts", name, 2)
    parts = read_weights(run(tmp_path / "parts", name, 4, resume=True)).tensors
    assert [key for key, tensor in whole.items() if not torch.equal(tensor, parts[key])] == []


@pytest.mark.parametrize(
    "name",
    ["cyclegan-perceptual", "pyramid-pix2pix", "pix2pixhd", "reg-gan", "supervised-patchnce"],
)
def test_mixed_precision_trains_too(tmp_path: Path, name: str) -> None:
    tensors = read_weights(run(tmp_path / "run", name, 1, precision="bf16")).tensors
    assert all(
        bool(torch.isfinite(tensor).all())
        for tensor in tensors.values()
        if tensor.is_floating_point()
    )


def learn(task: TranslationTask, tiles: TilePair, steps: int) -> list[dict[str, float]]:
    """What is logged, and `l1`, after each of so many steps on the same tiles."""
    logged = []
    for _ in range(steps):
        metrics = {}
        for update in task.updates(tiles):
            optimiser = task.optimisers[update.optimiser]
            update.loss.backward(
                inputs=[p for group in optimiser.param_groups for p in group["params"]]
            )
            optimiser.step()
            optimiser.zero_grad()
            metrics |= {key: float(value.detach()) for key, value in update.metrics.items()}
        with torch.no_grad():
            logged.append({**metrics, **task.measure(tiles)})
    return logged


@pytest.mark.parametrize("name", ["pix2pix", "pyramid-pix2pix", "pix2pixhd"])
def test_paired_objectives_learn_to_make_the_target(name: str) -> None:
    torch.manual_seed(0)
    logged = learn(make_task(tiny(name)), batch(), 40)
    assert min(step["l1"] for step in logged[-5:]) < 0.75 * logged[0]["l1"]


def test_contrast_learns_which_places_belong_together() -> None:
    """Better than all 16 places alike would be."""
    torch.manual_seed(0)
    logged = learn(make_task(tiny("supervised-patchnce")), batch(), 40)
    ignorance = 10 * math.log(16)
    assert logged[-1]["target"] < 0.8 * ignorance < logged[0]["target"]
    assert logged[-1]["source"] < 0.8 * ignorance
    assert logged[-1]["l1"] < logged[0]["l1"]


def test_without_its_weight_the_perceptual_loss_is_absent_and_with_it_is_added() -> None:
    tiles, terms = batch(), {}
    for weight in (0.0, 2.0):
        config = tiny("cyclegan-perceptual")
        assert isinstance(config.objective, CycleConfig)
        torch.manual_seed(0)
        task = make_task(
            replace(config, objective=replace(config.objective, perceptual_weight=weight))
        )
        update = next(iter(task.updates(tiles)))
        terms[weight] = {key: float(value.detach()) for key, value in update.metrics.items()}
        total = float(update.loss.detach())
        assert total == pytest.approx(sum(terms[weight].values()), rel=1e-5)
    assert set(terms[0.0]) == {"adversarial", "cycle"}
    assert terms[2.0].items() >= terms[0.0].items()
    assert isinstance(task, CycleTask)
    assert task.perceptual is not None
    assert task.perceptual.name == SEEDED
    with torch.no_grad():
        wanted = perceptual(task.perceptual, task.generator(tiles.source), tiles.source)
        wanted = wanted + perceptual(
            task.perceptual, task.reverse_generator(tiles.target), tiles.target
        )
    assert terms[2.0]["perceptual"] == pytest.approx(2 * float(wanted), rel=1e-4)


def test_the_frozen_perceptual_network_is_no_part_of_the_run() -> None:
    task = make_task(tiny("cyclegan-perceptual"))
    assert set(task.networks) == {
        "to_target", "to_source", "judge_target", "judge_source", "old_targets", "old_sources",
    }  # fmt: skip


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("preset", ["paper", "small"])
def test_presets_survive_being_written(name: str, preset: str) -> None:
    config = TranslationConfig.preset(name, preset)  # type: ignore[arg-type]
    assert build(TranslationConfig, to_dict(config), "test") == config


def test_presets_are_the_published() -> None:
    paper = {name: TranslationConfig.preset(name) for name in OBJECTIVES}
    perceptual_gan = paper["cyclegan-perceptual"].objective
    assert isinstance(perceptual_gan, CycleConfig)
    assert (
        perceptual_gan.cycle_weight,
        perceptual_gan.perceptual_weight,
        perceptual_gan.buffer_size,
    ) == (1, 1, 50)
    assert paper["cyclegan-perceptual"].optimiser.rate == 1e-4
    plain_gan = paper["cyclegan"].objective
    assert isinstance(plain_gan, CycleConfig)
    assert plain_gan.perceptual_weight == 0
    pyramid = paper["pyramid-pix2pix"].objective
    assert isinstance(pyramid, PairedConfig)
    assert (pyramid.pixel_weight, pyramid.scale_weights) == (25, (25,))
    assert isinstance(paper["pix2pix-unet"].generator, UNetConfig)
    contrast = paper["supervised-patchnce"].objective
    assert isinstance(contrast, ContrastConfig)
    assert contrast.level_weights[0] == 1 / 64
    registered = paper["reg-gan"].objective
    assert isinstance(registered, RegGanConfig)
    assert (
        registered.adversarial_weight,
        registered.cycle_weight,
        registered.correction_weight,
        registered.smoothness_weight,
    ) == (1, 10, 20, 10)
    assert registered.needs_pairs
    for name in ("pix2pix", "pix2pix-unet", "pix2pixhd", "pyramid-pix2pix"):
        assert paper[name].discriminator.patch.channels == 6  # conditional


def test_by_the_coarse_distance_colour_a_pixel_away_beats_pale_blur() -> None:
    real = torch.ones(2, 3, 32, 32)
    real[..., ::8] = -1.0  # membranes
    shifted, pale = real.roll(1, -1), torch.full_like(real, float(real.median()))
    one, other = picture_distances(shifted, real), picture_distances(pale, real)
    assert one["l1"] > other["l1"]
    assert one["coarse_l1"] < 0.01 < other["coarse_l1"]
    assert (
        picture_distances(real[..., :29], real[..., :29])["coarse_l1"] == 0
    )  # sides that eight does not divide


def test_the_rate_is_steady_and_then_falls_to_nothing() -> None:
    adam = AdamConfig(steady_steps=10, decay_steps=20)
    assert [adam.rate_factor(step) for step in (0, 10, 20, 30, 99)] == [1, 1, 0.5, 0, 0]
    shorter = adam.fit_to_steps(6)
    assert (shorter.steady_steps, shorter.decay_steps) == (2, 4)
    assert shorter.fit_to_steps(30) == adam
    steady = AdamConfig(steady_steps=10, decay_steps=0)
    assert steady.rate_factor(10**6) == 1
    assert steady.fit_to_steps(5) == steady


def test_the_clock_ends_where_it_was_told() -> None:
    clock = StepCounter(4)
    assert [clock() for _ in range(7)] == [0, 0.25, 0.5, 0.75, 1, 1, 1]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_pictures_show_a_row_a_sample(name: str) -> None:
    task, tiles = make_task(tiny(name)), batch(2)
    with torch.no_grad():
        shown = task.picture(tiles)
    columns = {"cyclegan": 6, "cyclegan-perceptual": 6, "reg-gan": 4}.get(name, 3)
    assert shown.shape == (2 * SIDE, columns * SIDE, 3)
    assert np.array_equal(shown, shown.clip(0, 255))
    first = (127.5 * (tiles.source[0, :, 0, 0] + 1)).round().byte().tolist()
    assert shown[0, 0].tolist() == first


def test_a_channel_more_or_less_is_no_matter() -> None:
    """Fluorescence, say, to a stain, and one grey stain to another."""
    paired = tiny("pyramid-pix2pix")
    assert isinstance(paired.generator, ResNetConfig)
    from_one = replace(paired.generator, source_channels=1)
    judge = replace(paired.discriminator, patch=replace(paired.discriminator.patch, channels=4))
    tiles = batch()
    task = make_task(replace(paired, generator=from_one, discriminator=judge))
    assert len(list(task.updates(TilePair(tiles.source[:, :1], tiles.target)))) == 2
    cyclic = tiny("cyclegan-perceptual")
    grey = replace(from_one, target_channels=1)
    judge = replace(judge, patch=replace(judge.patch, channels=1))
    task = make_task(replace(cyclic, generator=grey, discriminator=judge))
    assert len(list(task.updates(TilePair(tiles.source[:, :1], tiles.target[:, :1])))) == 2


@pytest.mark.parametrize(
    ("name", "weighed"),
    [
        ("pyramid-pix2pix", {"pixel", "scales"}),
        ("pix2pixhd", {"matching"}),
        ("supervised-patchnce", {"gaussian"}),
    ],
)
def test_terms_that_compare_places_follow_the_weight_of_a_pair(
    name: str, weighed: set[str]
) -> None:
    plain, heavy = (list(_generator_terms(name, weight)) for weight in (1.0, 3.0))
    for (term, once), (_, thrice) in zip(plain, heavy, strict=True):
        factor = 3 if term in weighed else 1
        assert thrice == pytest.approx(factor * once, rel=1e-4), term
    assert weighed <= {term for term, _ in plain}


def _generator_terms(name: str, weight: float) -> list[tuple[str, float]]:
    torch.manual_seed(0)
    task = make_task(tiny(name))
    weights = torch.full((2,), weight, dtype=torch.float64)
    *_, update = task.updates(batch()._replace(weight=weights))
    return [(term, float(value.detach())) for term, value in update.metrics.items()]


def test_one_channel_is_shown_grey() -> None:
    assert (
        picture_rows(torch.zeros(1, 1, 4, 4), torch.ones(1, 3, 4, 4)).tolist()[0]
        == [[128] * 3] * 4 + [[255] * 3] * 4
    )


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(InputError, match="residual"):
        TranslationConfig(UNetConfig(), MultiscaleDiscriminatorConfig(), ContrastConfig())
    three, six = (
        MultiscaleDiscriminatorConfig(patch=PatchGANConfig(channels=channels))
        for channels in (3, 6)
    )
    with pytest.raises(InputError, match="tile_px out of range"):
        TranslationConfig(ResNetConfig(), three, CycleConfig(), tile_px=0)
    with pytest.raises(InputError, match="expected 3; got 6"):
        TranslationConfig(ResNetConfig(), six, CycleConfig())
    with pytest.raises(InputError, match="expected 6; got 3"):
        TranslationConfig(CoarseToFineConfig(), three, PairedConfig())
    with pytest.raises(InputError, match="as many channels"):
        TranslationConfig(ResNetConfig(source_channels=1), three, CycleConfig())
    with pytest.raises(InputError, match="out of range"):
        PairedConfig(scale_weights=(1, -1))
    with pytest.raises(InputError, match="out of range"):
        CycleConfig(perceptual_weight=-1)
    with pytest.raises(InputError, match="out of range"):
        RegGanConfig(smoothness_weight=-1)
    with pytest.raises(InputError, match="as many channels"):
        TranslationConfig(ResNetConfig(source_channels=1), three, RegGanConfig())
    with pytest.raises(InputError, match="locations out of range"):
        ContrastConfig(locations=1)
    with pytest.raises(InputError, match="rate"):
        AdamConfig(rate=0)
