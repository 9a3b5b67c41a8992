"""ESRGAN's two updates: who learns from which."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.translation.sharpening.test_sharpen import TINY
from torch import nn

from stainbridge.learn.task import Update
from stainbridge.translation.sharpening.config import SharpenConfig
from stainbridge.translation.sharpening.task import SharpenPair, SharpenTask


def draw_updates(config: SharpenConfig) -> tuple[SharpenTask, dict[str, Update]]:
    torch.manual_seed(0)
    task = SharpenTask(config)
    fine = torch.rand(2, 3, 32, 32) * 2 - 1
    pair = SharpenPair(torch.nn.functional.avg_pool2d(fine, 2), fine)
    for network in task.networks.values():
        network.train()
    return task, {update.optimiser: update for update in task.updates(pair)}


def moves(update: Update, network: nn.Module) -> bool:
    """Whether a loss has a gradient for any weight of a network."""
    weights = list(network.parameters())
    gradients = torch.autograd.grad(update.loss, weights, retain_graph=True, allow_unused=True)
    return any(gradient is not None and bool(gradient.any()) for gradient in gradients)


def read_terms(update: Update) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in update.metrics.items()}


def test_the_discriminator_s_loss_does_not_reach_the_generator() -> None:
    task, updates = draw_updates(replace(TINY, warm_up_steps=0))
    assert list(updates) == ["generator", "discriminator"]
    assert moves(updates["generator"], task.generator)
    assert moves(updates["discriminator"], task.discriminator)
    assert not moves(updates["discriminator"], task.generator)


@pytest.mark.parametrize("weight", [0.0, 0.005, 1.0])
def test_the_generator_s_loss_has_every_term_at_its_weight(weight: float) -> None:
    config = replace(TINY, warm_up_steps=0, adversarial_weight=weight)
    _, updates = draw_updates(config)
    terms = read_terms(updates["generator"])
    assert float(updates["generator"].loss.detach()) == pytest.approx(sum(terms.values()))
    unit = read_terms(draw_updates(replace(config, adversarial_weight=1.0))[1]["generator"])
    assert terms["adversarial"] == pytest.approx(weight * unit["adversarial"])


def test_the_warm_up_is_of_the_generator_alone() -> None:
    task, updates = draw_updates(TINY)
    assert list(updates) == ["generator"]
    assert not moves(updates["generator"], task.discriminator)
