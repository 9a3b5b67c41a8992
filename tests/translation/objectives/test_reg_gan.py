"""RegGAN: generators and a registration network on pairs that are not aligned."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.translation.objectives.test_tasks import learn
from tests.translation.tiny import SIDE, tiny
from torch import Tensor

from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_svf import UNetSVFConfig
from stainbridge.settings import build, to_dict
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.reg_gan import RegGanConfig, RegGanTask
from stainbridge.translation.objectives.task import TilePair

#: Largest misalignment of a pair, in pixels.
SHIFT_PX = 3


class Shift(DeformableNet):
    """A network that moves everything by (2, 0) pixels."""

    period = 1
    reach = 0

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the constant field."""
        assert fixed.shape == moving.shape == (len(fixed), 1, *fixed.shape[-2:])
        field = torch.zeros(len(fixed), 2, *fixed.shape[-2:])
        field[:, 0] = 2
        return Fields(field, (Term(field),))


def make_task(**weights: float) -> RegGanTask:
    config = tiny("reg-gan")
    assert isinstance(config.objective, RegGanConfig)
    objective = replace(config.objective, **weights)  # type: ignore[arg-type]
    torch.manual_seed(0)
    return RegGanTask(replace(config, objective=objective), objective)


def misaligned(count: int, seed: int) -> tuple[TilePair, Tensor, Tensor]:
    """Tiles whose targets are shifted, targets where they belong, and shifts (N, 2) as (dx, dy).

    The target stain is the source's negative with channels exchanged.
    """
    generator = torch.Generator().manual_seed(seed)
    coarse = 2 * torch.rand(count, 3, 10, 10, generator=generator) - 1
    wide = F.interpolate(coarse, size=SIDE + 2 * SHIFT_PX, mode="bilinear")
    corners = torch.randint(2 * SHIFT_PX + 1, (count, 2), generator=generator)
    source = wide[..., SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX]
    shifted = [
        picture[:, y : y + SIDE, x : x + SIDE]
        for picture, (x, y) in zip(wide, corners.tolist(), strict=True)
    ]
    pair = TilePair(source, -torch.stack(shifted).flip(1))
    return pair, -source.flip(1), (corners - SHIFT_PX).float()


def test_the_field_takes_the_target_to_the_fake() -> None:
    """A fake two pixels to the right of the target is corrected by (2, 0)."""
    task = make_task()
    task.registration = Shift()
    source = misaligned(2, 0)[0].source
    fake = task.generator(source).detach()
    target = torch.roll(fake, -2, -1)
    assert torch.equal(task.register(fake, target)[:, 0], torch.full((2, SIDE, SIDE), 2.0))
    terms = task._terms(source, target, fake, task.reverse_generator(target))
    at_border = (fake[..., -1:] - target[..., -2:]).abs().sum() / target.numel()
    assert float(terms["correction"].detach()) == pytest.approx(20 * float(at_border), rel=1e-3)
    assert float(terms["smoothness"]) == 0
    plain = (fake - target).abs().mean()
    assert float(terms["correction"].detach()) < 20 * 0.2 * float(plain)


def test_each_term_has_its_weight() -> None:
    tiles = misaligned(2, 0)[0]
    terms = {}
    for factor in (1.0, 3.0):
        task = make_task(
            adversarial_weight=factor,
            cycle_weight=10 * factor,
            correction_weight=20 * factor,
            smoothness_weight=10 * factor,
        )
        torch.nn.init.normal_(task.registration.last[-1].weight, std=0.3)  # type: ignore[union-attr, index, operator]
        update = next(iter(task.updates(tiles)))
        terms[factor] = {name: float(value.detach()) for name, value in update.metrics.items()}
        total = sum(terms[factor].values())
        assert float(update.loss.detach()) == pytest.approx(total, rel=1e-5)
    assert set(terms[1.0]) == {"adversarial", "cycle", "correction", "smoothness"}
    assert terms[1.0]["smoothness"] > 0
    assert terms[3.0] == pytest.approx({name: 3 * value for name, value in terms[1.0].items()})


def test_gradients_of_the_correction_reach_generator_and_registration() -> None:
    task = make_task()
    tiles = misaligned(2, 0)[0]
    fake = task.generator(tiles.source)
    terms = task._terms(tiles.source, tiles.target, fake, task.reverse_generator(tiles.target))
    terms["correction"].backward()
    for network in (task.generator, task.registration):
        assert any(p.grad is not None and p.grad.any() for p in network.parameters())


def test_it_learns_the_stain_and_the_misalignment_of_pairs() -> None:
    """The fake nears the target where it belongs, which training never sees."""
    config = tiny("reg-gan")
    assert isinstance(config.objective, RegGanConfig)
    network = UNetSVFConfig(down=(8, 12, 16), up=(16, 12), last=(8,), squarings=4, correlation=2)
    objective = replace(config.objective, registration=network)
    torch.manual_seed(0)
    task = RegGanTask(replace(config, generator=ResNetConfig(width=8, blocks=2)), objective)
    tiles, aligned, shifts = misaligned(16, 999)
    before = float((task.generator(tiles.source).detach() - aligned).abs().mean())
    for seed in range(40):
        learn(task, misaligned(4, seed)[0], 1)
    with torch.no_grad():
        measures = task.measure(tiles)
        fake = task.generator(tiles.source)
        fields = task.register(fake, tiles.target)
    assert float((fake - aligned).abs().mean()) < 0.75 * before
    assert measures["corrected_l1"] < 0.95 * measures["l1"]
    moved = torch.stack([fields.mean((2, 3)).flatten(), shifts.flatten()])
    assert float(torch.corrcoef(moved)[0, 1]) > 0.9
    assert 0 < measures["roughness"] < 0.01


def test_r_may_be_another_network_and_is_stored_by_its_kind() -> None:
    values = to_dict(tiny("reg-gan"))
    values["objective"]["registration"] = {"kind": "dirnet", "width": 4, "poolings": 3}
    config = build(TranslationConfig, values, "config.yaml")
    assert isinstance(config.objective, RegGanConfig)
    assert to_dict(config)["objective"]["registration"]["kind"] == "dirnet"
    task = RegGanTask(config, config.objective)
    tiles = misaligned(2, 0)[0]
    assert task.register(tiles.target, tiles.target).shape == (2, 2, SIDE, SIDE)
