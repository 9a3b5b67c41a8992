"""Tune a trained generator to one pair of pictures, of a kind that it may never have seen.

Mahapatra & Ge, segmentation-augmented registration with transfer learning, section 2.3.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.flow import warp
from stainbridge.joint.sar.config import SarLossConfig
from stainbridge.joint.sar.losses import deceive, miss_dice, miss_nmi, miss_ssim
from stainbridge.nn.sar_discriminator import SarDiscriminator
from stainbridge.nn.sar_generator import SarGenerator, SarMasks, SarOutput, Trunk
from stainbridge.ranges import PartialShare, Rate, Within, check_ranges
from stainbridge.similarity.regularity import diffusion

#: The paper's range of iterations.
MIN_ITERATIONS = 10
MAX_ITERATIONS = 30
#: From the tenth iteration on, tuning ends where the loss changes by less than this share.
LEAST_CHANGE = 0.01


@dataclass(frozen=True)
class TuneConfig:
    """How a generator is tuned to a pair. Raises `InputError` for iterations out of range."""

    iterations: Annotated[int, Within(MIN_ITERATIONS, MAX_ITERATIONS)] = MAX_ITERATIONS
    """Most iterations: 10 to 30, as in the paper."""
    rate: Rate = 3e-4
    """Adam's learning rate; the paper does not give it.

    With training's 1e-3 the one layer overshoots: the loss of many pairs never falls."""
    beta1: PartialShare = 0.93
    """Adam's decay of the mean of gradients, as in training."""
    content: bool = False
    """Whether NMI and SSIM take part, beside the cycle.

    The paper names the first three terms of equation 5: both directions' adversarial terms and the
    masks, without the field. It also says that a new pair is best judged by comparing the pictures,
    which may mean equation 6 with its content. VGG's term is no choice here: its weights are no
    part of a run."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class TunedGenerator:
    """A tuned copy of a generator."""

    generator: SarGenerator
    """The copy; only its last convolution differs."""
    loss_before: float
    """The loss of the generator as it was trained."""
    loss: float
    """The loss of the copy, at most `loss_before`."""
    iterations: int
    """Iterations that were made."""


@dataclass(frozen=True, eq=False)
class _Pair:
    """What does not change while the last convolution does."""

    pictures: tuple[Tensor, Tensor]
    trunks: tuple[Trunk, Trunk]
    masks: tuple[SarMasks, SarMasks]

    def complete(self, generator: SarGenerator) -> tuple[SarOutput, SarOutput]:
        """Return the outputs of both directions."""
        reference, floating = self.pictures
        forward = generator.complete(self.trunks[0], floating, self.masks[0])
        return forward, generator.complete(self.trunks[1], reference, self.masks[1])


def tune_generator(
    generator: SarGenerator,
    discriminators: tuple[SarDiscriminator, SarDiscriminator],
    loss: SarLossConfig,
    pictures: tuple[Tensor, Tensor],
    config: TuneConfig,
) -> TunedGenerator:
    """Return a copy of the generator that is tuned to a reference and a floating picture.

    Pictures are (1, 1, H, W) in 0 … 1. Only the copy's last convolution changes; the discriminators
    judge and do not learn. The copy has the weights of its least loss, at worst those it began
    with. Everything is computed from the arguments alone, nothing is drawn at random.
    """
    tuned = copy.deepcopy(generator).eval().requires_grad_(False)
    pair = _prepare(tuned, pictures)
    parameters = [parameter.requires_grad_(True) for parameter in tuned.last.parameters()]
    optimiser = torch.optim.Adam(parameters, config.rate, (config.beta1, 0.999))
    weights = copy.deepcopy(tuned.last.state_dict())
    losses: list[float] = []
    with torch.enable_grad():
        while True:
            value = measure_loss(pair.complete(tuned), pair.pictures, discriminators, loss, config)
            losses.append(float(value.detach()))
            if losses[-1] <= min(losses):
                weights = copy.deepcopy(tuned.last.state_dict())
            if len(losses) > config.iterations or _has_settled(losses):
                break
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]  # torch declares none
            optimiser.step()
    tuned.last.load_state_dict(weights)
    tuned.requires_grad_(False)
    return TunedGenerator(tuned, losses[0], min(losses), len(losses) - 1)


def measure_loss(
    outputs: tuple[SarOutput, SarOutput],
    pictures: tuple[Tensor, Tensor],
    discriminators: tuple[SarDiscriminator, SarDiscriminator],
    loss: SarLossConfig,
    config: TuneConfig,
) -> Tensor:
    """Return the loss of a pair without truth and without given masks, a scalar."""
    forward, backward = outputs
    reference, floating = pictures
    returned = (
        warp(forward.picture, backward.displacement, "zeros"),
        warp(backward.picture, forward.displacement, "zeros"),
    )
    cycle = F.l1_loss(returned[0], floating) + F.l1_loss(returned[1], reference)
    total = loss.cycle_weight * cycle
    if loss.adversarial_weight:
        judged = deceive(discriminators[0](forward.picture))
        judged = judged + deceive(discriminators[1](backward.picture))
        total = total + loss.adversarial_weight * judged
    if loss.has_masks:
        missed = miss_dice(forward.masks.soft[:, :1], forward.registered_mask)
        total = total + loss.dice_weight * missed
    if config.content:
        total = total + loss.nmi_weight * miss_nmi(reference, forward.picture)
        total = total + loss.ssim_weight * miss_ssim(reference, forward.picture)
    if loss.smoothness_weight:
        regular = forward.fields.regular
        assert regular is not None
        total = total + loss.smoothness_weight * diffusion(regular).mean()
    return total


@torch.no_grad()
def _prepare(generator: SarGenerator, pictures: tuple[Tensor, Tensor]) -> _Pair:
    """Pad pictures to sides that the generator takes, and compute all but its last layer."""
    height, width = pictures[0].shape[-2:]
    margin = (0, -width % generator.period, 0, -height % generator.period)
    reference, floating = (F.pad(picture, margin) for picture in pictures)
    trunks = (generator.trunk(reference, floating), generator.trunk(floating, reference))
    masks = (generator.masks(trunks[0]), generator.masks(trunks[1]))
    return _Pair((reference, floating), trunks, masks)


def _has_settled(losses: list[float]) -> bool:
    if len(losses) <= MIN_ITERATIONS:
        return False
    return abs(losses[-1] - losses[-2]) < LEAST_CHANGE * abs(losses[-2])
