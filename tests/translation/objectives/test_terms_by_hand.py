"""Each term of a loss compares the right pictures: computed again by hand from known networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from tests.translation.tiny import batch, tiny
from torch import Tensor, nn

from stainbridge.geometry.flow import warp
from stainbridge.nn.fields import Fields, Term
from stainbridge.translation.objectives.adversarial import discriminator_loss, generator_loss
from stainbridge.translation.objectives.cyclegan import CycleConfig, CycleTask
from stainbridge.translation.objectives.pix2pix import PairedConfig, PairedTask
from stainbridge.translation.objectives.reg_gan import RegGanTask
from stainbridge.translation.objectives.table import OBJECTIVES, make_task
from stainbridge.translation.objectives.terms import perceptual

CYCLES = ("cyclegan", "cyclegan-perceptual", "reg-gan")
PAIRED = ("pix2pix", "pix2pix-unet", "pix2pixhd", "pyramid-pix2pix")


class Scaled(nn.Module):
    """A generator that multiplies by a number of its own."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, picture: Tensor) -> Tensor:
        return self.factor * picture


class Watching(nn.Module):
    """A discriminator whose scores are the pictures' means times a number; it keeps pictures."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.shown: list[Tensor] = []

    def forward(self, picture: Tensor) -> list[Tensor]:
        self.shown.append(picture)
        return [self.factor * picture.mean((1, 2, 3)).view(-1, 1, 1, 1)]


class Older(nn.Module):
    """A buffer that returns an older picture each time."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.picture = picture

    def forward(self, fake: Tensor) -> Tensor:
        return self.picture.expand_as(fake)


def known_cycle(name: str) -> CycleTask:
    """A task whose generators double and halve, with discriminators that watch."""
    torch.manual_seed(0)
    task = make_task(tiny(name))
    assert isinstance(task, CycleTask)
    task.generator, task.reverse_generator = Scaled(2.0), Scaled(0.25)  # type: ignore[assignment]
    task.target_discriminator, task.source_discriminator = Watching(3.0), Watching(5.0)  # type: ignore[assignment]
    return task


def l1(first: Tensor, second: Tensor) -> float:
    return number((first - second).abs().mean())


def number(scalar: Tensor) -> float:
    """The number in a tensor; torch warns of those with a gradient."""
    return float(scalar.detach())


@pytest.mark.parametrize("name", CYCLES)
def test_cycle_and_identity_compare_a_tile_with_itself_there_and_back(name: str) -> None:
    task = known_cycle(name)
    config = task.objective
    source, target = batch().source, 0.3 * batch(seed=1).target
    with torch.no_grad():
        terms = task._terms(source, target, task.generator(source), task.reverse_generator(target))
    there_and_back = l1(0.25 * 2 * source, source) + l1(2 * 0.25 * target, target)
    assert number(terms["cycle"]) == pytest.approx(config.cycle_weight * there_and_back, rel=1e-5)
    if config.identity_weight:
        unchanged = l1(2 * target, target) + l1(0.25 * source, source)
        wanted = config.identity_weight * unchanged
        assert number(terms["identity"]) == pytest.approx(wanted, rel=1e-5)
    assert ("identity" in terms) == bool(config.identity_weight)
    scores = [3 * (2 * source).mean((1, 2, 3)), 5 * (0.25 * target).mean((1, 2, 3))]
    adversarial = sum(number((score - 1).square().mean()) for score in scores)
    assert number(terms["adversarial"]) == pytest.approx(adversarial, rel=1e-5)
    if task.perceptual is not None:
        distance = perceptual(task.perceptual, 2 * source, source)
        distance = distance + perceptual(task.perceptual, 0.25 * target, target)
        wanted = config.perceptual_weight * number(distance)
        assert number(terms["perceptual"]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", CYCLES)
def test_discriminators_are_shown_the_buffers_pictures(name: str) -> None:
    task = known_cycle(name)
    older = [torch.full((1, 3, 1, 1), value) for value in (0.125, -0.5)]
    task.fake_targets, task.fake_sources = map(Older, older)  # type: ignore[assignment]
    tiles = batch()
    *_, update = task.updates(tiles)
    judges = (task.target_discriminator, task.source_discriminator)
    wanted = 0.0
    for judge, picture, real in zip(judges, older, (tiles.target, tiles.source), strict=True):
        shown = judge.shown[-2:]  # type: ignore[attr-defined,union-attr]
        assert torch.equal(shown[0], real)
        assert torch.equal(shown[1], picture.expand_as(real))
        scores = [judge(shown[0]), judge(shown[1])]
        wanted += number(discriminator_loss(*scores, "least-squares"))
    assert number(update.loss) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_gradient_of_a_discriminator_s_loss_reaches_a_generator(name: str) -> None:
    torch.manual_seed(0)
    task = make_task(tiny(name))
    held = {
        key: {id(p) for group in optimiser.param_groups for p in group["params"]}
        for key, optimiser in task.optimisers.items()
    }
    for update in task.updates(batch()):
        if update.optimiser != "discriminator":
            continue
        others = [
            parameter
            for network in task.networks.values()
            for parameter in network.parameters()
            if id(parameter) not in held["discriminator"] and parameter.requires_grad
        ]
        assert others
        gradients = torch.autograd.grad(update.loss, others, allow_unused=True)
        assert all(gradient is None for gradient in gradients)


def paired_terms(name: str, **weights: object) -> Iterator[dict[str, Tensor]]:
    """Yield the generator's terms of a tiny task with these weights, and of one without them."""
    config = tiny(name)
    assert isinstance(config.objective, PairedConfig)
    for changes in (weights, {key: type(value)() for key, value in weights.items()}):
        torch.manual_seed(0)
        task = make_task(replace(config, objective=replace(config.objective, **changes)))  # type: ignore[arg-type]
        assert isinstance(task, PairedTask)
        update = next(item for item in task.updates(batch()) if item.optimiser == "generator")
        assert number(update.loss) == pytest.approx(
            sum(number(term) for term in update.metrics.values()), rel=1e-5
        )
        yield dict(update.metrics)


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ({"pixel_weight": 7.0}, "pixel"),
        ({"scale_weights": (3.0, 2.0)}, "scales"),
        ({"feature_matching_weight": 4.0}, "matching"),
    ],
)
@pytest.mark.parametrize("name", PAIRED)
def test_every_paired_term_is_in_the_loss_by_its_weight(
    name: str, weight: dict[str, object], term: str
) -> None:
    with_it, without = paired_terms(name, **weight)
    assert number(with_it[term]) > 0
    assert term not in without
    doubled = {
        key: tuple(2 * item for item in value) if isinstance(value, tuple) else 2 * value  # type: ignore[operator]
        for key, value in weight.items()
    }
    twice, _ = paired_terms(name, **doubled)
    assert number(twice[term]) == pytest.approx(2 * number(with_it[term]), rel=1e-4)


@pytest.mark.parametrize("name", PAIRED)
def test_the_discriminator_of_pairs_sees_the_source_with_each(name: str) -> None:
    torch.manual_seed(0)
    task = make_task(tiny(name))
    shown: list[Tensor] = []
    task.target_discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    features = task.target_discriminator.features
    task.target_discriminator.features = lambda x: (shown.append(x), features(x))[1]  # type: ignore[method-assign,assignment]
    tiles = batch()
    for _ in task.updates(tiles):
        pass
    assert shown
    assert all(torch.equal(pair[:, :3], tiles.source) for pair in shown)
    assert any(torch.equal(pair[:, 3:], tiles.target) for pair in shown)
    assert any(not torch.equal(pair[:, 3:], tiles.target) for pair in shown)


def test_reg_gan_corrects_the_fake_target_towards_the_real_one() -> None:
    task = known_cycle("reg-gan")
    assert isinstance(task, RegGanTask)
    tiles = batch()
    ramp = torch.linspace(0, 2, tiles.target.shape[-1]).expand(len(tiles.target), 2, 32, 32)
    seen: list[Tensor] = []

    class Known(nn.Module):
        def forward(self, fixed: Tensor, moving: Tensor) -> Fields:
            seen.extend((fixed, moving))
            return Fields(ramp, (Term(ramp),))

    task.registration = Known()  # type: ignore[assignment]
    fake = task.generator(tiles.source)
    terms = task._terms(tiles.source, tiles.target, fake, task.reverse_generator(tiles.target))
    wanted = task.weights.correction_weight * l1(warp(fake, ramp), tiles.target)
    assert number(terms["correction"]) == pytest.approx(wanted, rel=1e-5)
    assert number(terms["smoothness"]) > 0
    darkness = [(1 - picture.mean(1, keepdim=True)) / 2 for picture in (tiles.target, fake)]
    assert all(torch.equal(*pair) for pair in zip(seen, darkness, strict=True))


def test_the_plain_config_has_no_perceptual_network() -> None:
    assert CycleConfig().perceptual_network is None
    assert number(generator_loss([torch.ones(1, 1, 2, 2)], "least-squares")) == 0
