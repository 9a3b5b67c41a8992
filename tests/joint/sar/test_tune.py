"""Tuning to a pair: only the last layer, a copy, never worse, the same every time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.joint.sar.pictures import make_batch, make_training
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.joint.sar.config import SarLossConfig
from stainbridge.joint.sar.task import SarTask
from stainbridge.joint.sar.tune import (
    MIN_ITERATIONS,
    TuneConfig,
    TunedGenerator,
    measure_loss,
    tune_generator,
)
from stainbridge.nn.sar_generator import SarGenerator

CONFIG = TuneConfig(12, rate=0.01)


def make_task() -> SarTask:
    torch.manual_seed(4)
    task = SarTask(make_training())
    nn.init.normal_(task.generator.last.weight, std=0.01)
    for network in task.networks.values():
        network.eval().requires_grad_(False)
    return task


def make_pictures() -> tuple[Tensor, Tensor]:
    batch = make_batch(1)
    return batch.reference[..., :47], batch.floating[..., :47]


def tune(task: SarTask, config: TuneConfig = CONFIG, **loss: float) -> TunedGenerator:
    discriminators = (task.reference_discriminator, task.floating_discriminator)
    weights = replace(task.config.loss, **loss)  # type: ignore[arg-type]
    return tune_generator(task.generator, discriminators, weights, make_pictures(), config)


def read_state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_only_the_last_layer_of_a_copy_changes() -> None:
    task = make_task()
    before = {name: read_state(network) for name, network in task.networks.items()}
    tuned = tune(task)
    for name, network in task.networks.items():
        state = network.state_dict()
        assert all(torch.equal(tensor, state[key]) for key, tensor in before[name].items())
    changed = {
        key
        for key, tensor in tuned.generator.state_dict().items()
        if not torch.equal(tensor, before["generator"][key])
    }
    assert changed
    assert changed <= {"last.weight", "last.bias"}
    assert not any(parameter.requires_grad for parameter in tuned.generator.parameters())


def test_the_loss_never_rises_and_is_that_of_the_copy() -> None:
    task = make_task()
    tuned = tune(task)
    assert tuned.loss < tuned.loss_before
    assert 1 <= tuned.iterations <= CONFIG.iterations
    assert measure(task, tuned.generator) == pytest.approx(tuned.loss, rel=1e-4)
    wild = tune(task, replace(CONFIG, rate=50.0))
    assert wild.loss <= wild.loss_before
    if wild.loss == wild.loss_before:
        assert torch.equal(wild.generator.last.weight, task.generator.last.weight)


def measure(task: SarTask, generator: SarGenerator) -> float:
    reference, floating = (nn.functional.pad(p, (0, 1)) for p in make_pictures())
    outputs = (
        generator.register(reference, floating),
        generator.register(floating, reference),
    )
    discriminators = (task.reference_discriminator, task.floating_discriminator)
    return float(
        measure_loss(outputs, (reference, floating), discriminators, task.config.loss, CONFIG)
    )


def test_it_ends_once_the_loss_has_settled() -> None:
    task = make_task()
    assert tune(task, replace(CONFIG, iterations=30, rate=1e-9)).iterations == MIN_ITERATIONS


def test_it_is_the_same_every_time_and_draws_nothing() -> None:
    state = torch.get_rng_state()
    first = tune(make_task()).generator.last.weight
    torch.manual_seed(99)
    task = make_task()
    drawn = torch.get_rng_state()
    second = tune(task).generator.last.weight
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), drawn)
    torch.set_rng_state(state)


def test_terms_without_weight_and_content_take_no_part() -> None:
    task = make_task()
    full = tune(task).loss_before
    no_masks = tune(task, dice_weight=0.0).loss_before
    no_judges = tune(task, adversarial_weight=0.0).loss_before
    content = tune(task, replace(CONFIG, content=True)).loss_before
    assert max(no_masks, no_judges) < full < content


@pytest.mark.parametrize("iterations", [0, 9, 31])
def test_iterations_out_of_range_are_refused(iterations: int) -> None:
    with pytest.raises(InputError, match="expected 10 to 30"):
        TuneConfig(iterations)
    with pytest.raises(InputError, match="out of range"):
        TuneConfig(rate=0)


def test_the_field_term_is_not_asked_for() -> None:
    task = make_task()
    assert tune(task, field_weight=0.0).loss == tune(task, field_weight=100.0).loss
    assert SarLossConfig().field_weight == 1
