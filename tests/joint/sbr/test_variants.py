"""Every variant: what moves, what stays frozen, and what its loss is made of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.joint.sbr.stacks import HEIGHT, MPP, WIDTH, make_stack
from torch.utils.data import default_collate

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.cgan import CycleGANObjective
from stainbridge.joint.sbr.config import SbrTraining, SlicesConfig
from stainbridge.joint.sbr.network import translate
from stainbridge.joint.sbr.sbr import SbrObjective
from stainbridge.joint.sbr.sbr_g import SbrGObjective
from stainbridge.joint.sbr.stream import SlicePair, SliceStream
from stainbridge.joint.sbr.synthesis import Synthesis, SynthesisObjective, SynthesisTask, masked_l1
from stainbridge.joint.sbr.table import VARIANTS, load_variant
from stainbridge.joint.sbr.task import SliceTask, StackFacts, measure_roughness, soft_dice
from stainbridge.learn.task import Update
from stainbridge.nn.fields import Fields, Term
from stainbridge.nn.patchgan import PatchGANConfig
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig
from stainbridge.settings import build, to_dict

NETWORK = UNetSVFConfig(down=(8, 8, 8), up=(8, 8), last=(8,), squarings=4)
#: The term that falls first, where it is not the registration's: the contrast outweighs it.
FALLING = {"sbr": "contrast", "sbr-g": "contrast"}
SYNTHESES = [name for name in VARIANTS if load_variant(name).needs_registration]


def make_training(variant: str) -> SbrTraining:
    preset = SbrTraining.preset("small", variant)
    objective = preset.objective
    if hasattr(objective, "discriminator"):
        patchgan = PatchGANConfig(width=4, halvings=2, channels=1)
        objective = replace(objective, discriminator=patchgan)  # type: ignore[type-var]
    if isinstance(objective, SbrObjective):
        objective = replace(objective, locations=16, projection=8)
    generator = replace(preset.generator, width=4, blocks=2, halvings=2)
    return replace(preset, objective=objective, generator=generator, network=NETWORK)


def make_task(variant: str, classes: int = 2, smoothness: float | None = None) -> SliceTask:
    torch.manual_seed(3)
    published = load_variant(variant)
    registration = UNetSVF(NETWORK) if published.needs_registration else None
    if registration is not None:  # an untrained one is the identity, which has no gradient to show
        torch.nn.init.normal_(registration.last[-1].weight, std=0.05)
    facts = StackFacts(MPP, WIDTH, True, classes, registration)
    training = make_training(variant)
    if smoothness is not None:
        objective: Any = training.objective
        training = replace(training, objective=replace(objective, smoothness=smoothness))
    return published.make_task(training, facts)


def make_batch(variant: str) -> SlicePair:
    stream = SliceStream(
        make_stack(), SlicesConfig(), 1, shows_neighbours=load_variant(variant).shows_neighbours
    )
    batch: SlicePair = default_collate([stream[0], stream[1]])
    return batch


def take_step(task: SliceTask, batch: SlicePair) -> dict[str, Update]:
    updates = {}
    for update in task.updates(batch):
        optimiser = task.optimisers[update.optimiser]
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        gradients = torch.autograd.grad(update.loss, parameters, retain_graph=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        optimiser.zero_grad()
        updates[update.optimiser] = update
    return updates


def copy_state(module: torch.nn.Module) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def is_moved(module: torch.nn.Module, before: dict[str, Any]) -> bool:
    return any(not torch.equal(before[name], t) for name, t in module.state_dict().items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_moves_every_network_but_a_frozen_one(variant: str) -> None:
    task = make_task(variant)
    before = {name: copy_state(network) for name, network in task.networks.items()}
    take_step(task, make_batch(variant))
    frozen = {"registration"} if variant in SYNTHESES else set()
    for name, network in task.networks.items():
        assert is_moved(network, before[name]) == (name not in frozen), name


@pytest.mark.parametrize("variant", SYNTHESES)
def test_gradients_flow_through_the_frozen_network(variant: str) -> None:
    task = make_task(variant)
    assert isinstance(task, SynthesisTask)
    batch = make_batch(variant)
    assert not any(p.requires_grad for p in task.net.registration.parameters())
    synthesis = task.synthesise(batch)
    rough = measure_roughness(synthesis.fields, 1.0)  # depends on G through R alone
    gradients = torch.autograd.grad(rough, list(task.generator.parameters()))
    assert any(float(gradient.abs().max()) > 0 for gradient in gradients)


@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_fall_over_a_few_steps_on_one_batch(variant: str) -> None:
    task = make_task(variant)
    batch = make_batch(variant)
    name = "generator" if variant in SYNTHESES else "loss"
    first = take_step(task, batch)[name]
    for _ in range(6):
        last = take_step(task, batch)[name]
    key = FALLING.get(variant, "mismatch" if variant in SYNTHESES else "dissimilarity")
    assert float(last.metrics[key].detach()) < float(first.metrics[key].detach())


@pytest.mark.parametrize("variant", VARIANTS)
def test_measures_and_pictures_are_those_of_the_batch(variant: str) -> None:
    task = make_task(variant)
    batch = make_batch(variant)
    with torch.no_grad():
        scores = task.measure(batch)
        picture = task.picture(batch)
    assert task.selection_measure in scores
    assert 0 < scores["dice_before"] < 1
    assert picture.shape == (2 * HEIGHT, 4 * WIDTH, 3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_survive_a_file(variant: str) -> None:
    training = SbrTraining.preset("paper", variant)
    assert build(SbrTraining, to_dict(training), "file") == training


def test_papers_weights_are_in_the_presets() -> None:
    objective = SbrTraining.preset("paper", "sbr").objective
    assert isinstance(objective, SbrObjective)
    assert (objective.smoothness, objective.contrast, objective.temperature) == (0.1, 0.1, 0.05)
    assert SbrTraining.preset("paper", "registration").objective.smoothness == 1.0
    without = SbrTraining.preset("paper", "sbr-n").objective
    assert isinstance(without, SbrObjective)
    assert without.contrast == 0
    assert "projection" not in make_task("sbr-n").networks


def test_generator_of_the_paper_has_the_published_architecture() -> None:
    generator = SbrTraining.preset("paper").generator
    assert (generator.width, generator.blocks, generator.halvings) == (32, 6, 3)
    assert generator.antialias
    assert generator.output == "sigmoid"


def test_contrast_is_a_mean_over_layers() -> None:
    task = make_task("sbr")
    assert isinstance(task.training.objective, SbrObjective)
    contrast = take_step(task, make_batch("sbr"))["generator"].metrics["contrast"]
    both_directions = float(contrast.detach()) / task.training.objective.contrast
    untrained = 2 * math.log(task.training.objective.locations)  # every location as likely
    assert untrained / 2 < both_directions < 3 * untrained


@pytest.mark.parametrize("variant", SYNTHESES)
def test_small_adds_the_authors_lncc(variant: str) -> None:
    objectives = [SbrTraining.preset(name, variant).objective for name in ("paper", "small")]
    assert isinstance(objectives[0], SynthesisObjective)
    assert isinstance(objectives[1], SynthesisObjective)
    assert [objective.local_ncc for objective in objectives] == [0, 1]


def test_lncc_falls_with_structure_not_with_brightness() -> None:
    task = make_task("sbr-n")
    assert isinstance(task, SynthesisTask)
    batch = make_batch("sbr-n")
    fields = task.register(batch)
    alike, brighter, blank = (
        task.registration_terms(batch, Synthesis(batch.fixed, fields, warped))
        for warped in (batch.fixed, 0.5 * batch.fixed + 0.3, torch.full_like(batch.fixed, 0.5))
    )
    assert float(alike["dissimilarity"]) == pytest.approx(float(brighter["dissimilarity"]), abs=0.1)
    assert float(alike["dissimilarity"]) < -0.5 < float(blank["dissimilarity"])
    assert float(brighter["mismatch"]) > float(alike["mismatch"])


@pytest.mark.parametrize("variant", ["sbr-g", "cgan"])
def test_small_halves_generator_and_discriminator(variant: str) -> None:
    paper = SbrTraining.preset("paper", variant)
    small = SbrTraining.preset("small", variant)
    assert 2 * small.generator.width == paper.generator.width
    assert isinstance(paper.objective, SbrGObjective | CycleGANObjective)
    assert isinstance(small.objective, SbrGObjective | CycleGANObjective)
    discriminator = paper.objective.discriminator
    assert small.objective.discriminator == replace(discriminator, width=discriminator.width // 2)
    assert small.objective.adversarial == paper.objective.adversarial


def test_registration_network_of_a_run_sees_the_same_slices() -> None:
    training = replace(make_training("sbr"), registration_steps=77, split="parts.csv")
    own = training.of_registration()
    assert own.variant == "registration"
    assert own.train.steps == 77
    assert (own.slices, own.network, own.split) == (training.slices, NETWORK, "parts.csv")


def test_an_objective_of_another_variant_is_refused() -> None:
    with pytest.raises(InputError, match="another objective"):
        replace(SbrTraining.preset("small", "nmi"), variant="sbr")
    with pytest.raises(InputError, match="unknown variant"):
        SbrTraining.preset("small", "sbr-x")


def test_labels_are_needed_where_they_are_trained_on() -> None:
    with pytest.raises(InputError, match="labels"):
        make_task("nmi-w", classes=0)


def test_a_generator_cannot_be_trained_without_a_registration_network() -> None:
    with pytest.raises(InputError, match="registration network"):
        load_variant("sbr").make_task(make_training("sbr"), StackFacts(MPP, WIDTH))


def test_roughness_is_twice_lambda_times_the_squared_gradient() -> None:
    velocity = torch.zeros(1, 2, 4, 5)
    velocity[0, 0] = 0.5 * torch.arange(5.0)  # d/dx = 0.5
    zero = torch.zeros(1, 2, 8, 10)
    fields = Fields(zero, (Term(zero),), velocity)
    assert float(measure_roughness(fields, 0.1)) == pytest.approx(2 * 0.1 * 0.25)


def test_masked_l1_looks_at_the_fixed_tissue_and_a_rim_alone() -> None:
    batch = make_batch("sbr")
    elsewhere = batch.fixed.clone()
    elsewhere[:, :, :2, :2] = 1.0  # a corner, far from the tissue
    assert float(masked_l1(batch, batch.fixed)) == 0
    assert float(masked_l1(batch, elsewhere)) == 0
    inside = batch.fixed.clone()
    inside[batch.fixed_mask > 0.5] = 0
    assert float(masked_l1(batch, inside)) > 0.1


def test_dice_is_one_for_equal_labels_and_falls_with_a_shift() -> None:
    labels = make_stack().fixed.labels
    assert labels is not None
    labels = labels.float()
    shift = torch.zeros(len(labels), 2, HEIGHT, WIDTH)
    shift[:, 0] = 3
    assert torch.allclose(soft_dice(labels, labels), torch.ones(2))
    assert float(soft_dice(labels, warp(labels, shift)).max()) < 0.97


@pytest.mark.parametrize("variant", ["sbr-g", "cgan"])
def test_no_gradient_of_a_discriminator_s_loss_reaches_a_generator(variant: str) -> None:
    task = make_task(variant)
    held = {
        id(parameter)
        for group in task.optimisers["discriminator"].param_groups
        for parameter in group["params"]
    }
    others = [
        parameter
        for network in task.networks.values()
        for parameter in network.parameters()
        if id(parameter) not in held and parameter.requires_grad
    ]
    assert others
    *_, update = task.updates(make_batch(variant))
    assert update.optimiser == "discriminator"
    gradients = torch.autograd.grad(update.loss, others, allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_the_cycle_of_cgan_compares_each_slice_with_itself() -> None:
    task: Any = make_task("cgan")
    batch = make_batch("cgan")
    with torch.no_grad():
        synthesis = task.synthesise(batch)
        fake_moving = translate(task.reverse_generator, batch.fixed)
        terms = task._generator_terms(batch, synthesis, fake_moving)
        moving_again = translate(task.reverse_generator, synthesis.synthetic)
        fixed_again = translate(task.generator, fake_moving)
    there_and_back = (moving_again - batch.moving).abs().mean()
    there_and_back = there_and_back + (fixed_again - batch.fixed).abs().mean()
    assert float(terms["cycle"]) == pytest.approx(10 * float(there_and_back), rel=1e-5)


def find_registration_loss(variant: str, smoothness: float) -> tuple[float, float]:
    """The loss of what moves the fields, and how rough they are by equation 2."""
    task = make_task(variant, smoothness=smoothness)
    torch.nn.init.normal_(task.net.registration.last[-1].weight, std=0.05)
    batch = make_batch(variant)
    torch.manual_seed(1)
    update = next(iter(task.updates(batch)))
    assert update.optimiser == ("generator" if variant in SYNTHESES else "loss")
    is_synthesis = isinstance(task, SynthesisTask)
    fields = task.synthesise(batch).fields if is_synthesis else task.register(batch)
    return float(update.loss.detach()), float(measure_roughness(fields, smoothness).detach())


@pytest.mark.parametrize("variant", VARIANTS)
def test_rough_fields_cost_what_smoothness_says(variant: str) -> None:
    free, nothing = find_registration_loss(variant, 0.0)
    costly, rough = find_registration_loss(variant, 50.0)
    assert nothing == 0
    assert rough > 0.1
    assert costly - free == pytest.approx(rough, rel=1e-3)
