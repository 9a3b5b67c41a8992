"""Segmentation-augmented registration as a task of the training loop.

Mahapatra & Ge, segmentation-augmented registration with transfer learning, equations 1 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.geometry.flow import warp
from stainbridge.joint.sar.config import SarTraining
from stainbridge.joint.sar.losses import (
    compare_features,
    deceive,
    discriminate,
    measure_dice,
    miss_dice,
    miss_field,
    miss_nmi,
    miss_ssim,
)
from stainbridge.joint.sar.stream import SarSample
from stainbridge.learn.task import Update
from stainbridge.nn.perceptual import PerceptualNet
from stainbridge.nn.sar_discriminator import SarDiscriminator
from stainbridge.nn.sar_generator import SarGenerator, SarOutput
from stainbridge.settings import to_dict
from stainbridge.similarity.regularity import diffusion

#: Samples in a picture.
SHOWN_SAMPLES = 4
#: Names of the networks in files of weights.
GENERATOR = "generator"
REFERENCE_DISCRIMINATOR = "reference_discriminator"
FLOATING_DISCRIMINATOR = "floating_discriminator"


class SarTask:
    """Trains the generator against two discriminators. A `learn.task.Task` of `SarSample`s.

    The paper has generators G and F. Here one network is both: F is G with exchanged pictures, so
    that a registration and its inverse share what they learn. D_Y judges floating pictures
    registered to the reference, D_X reference pictures registered to the floating one.

    Validation pairs are measured by `rtre`: the mean distance to the applied field where the
    reference is not black, as a share of the picture's diagonal.
    """

    name = "sar"
    selection_measure = "rtre"

    def __init__(self, config: SarTraining) -> None:
        self.config = config
        self.generator = SarGenerator(config.generator)
        self.reference_discriminator = SarDiscriminator(config.discriminator)
        self.floating_discriminator = SarDiscriminator(config.discriminator)
        loss = config.loss
        self.perceptual = PerceptualNet(loss.perceptual) if loss.perceptual_weight else None
        self.networks: Mapping[str, nn.Module] = {
            GENERATOR: self.generator,
            REFERENCE_DISCRIMINATOR: self.reference_discriminator,
            FLOATING_DISCRIMINATOR: self.floating_discriminator,
        }
        self.optimisers: Mapping[str, Optimizer] = {
            "generator": self._adam(self.generator),
            "discriminator": self._adam(self.reference_discriminator, self.floating_discriminator),
        }

    def settings(self) -> Mapping[str, Any]:
        """Return what the networks are built from, and what registration needs to know."""
        config = self.config
        return {
            "generator": to_dict(config.generator),
            "discriminator": to_dict(config.discriminator),
            "size_px": config.pairs.size_px,
            "loss": to_dict(config.loss),
        }

    def rate(self, step: int) -> float:
        """Return the learning rate's factor."""
        optimiser = self.config.optimiser
        return optimiser.decay ** (step // optimiser.epoch_steps)

    def inputs(self, batch: SarSample) -> Mapping[str, Tensor]:
        """Return both pictures."""
        return {"reference": batch.reference, "floating": batch.floating}

    def updates(self, batch: SarSample) -> Iterator[Update]:
        """Yield the generator's loss, then the discriminators'."""
        forward, backward = self.register_both(batch)
        terms = self.terms(batch, forward, backward)
        yield Update("generator", torch.stack(list(terms.values())).sum(), terms)
        if not self.config.loss.adversarial_weight:
            return
        loss = discriminate(
            self.reference_discriminator(batch.reference),
            self.reference_discriminator(forward.picture.detach()),
        ) + discriminate(
            self.floating_discriminator(batch.floating),
            self.floating_discriminator(backward.picture.detach()),
        )
        yield Update("discriminator", loss)

    def register_both(self, batch: SarSample) -> tuple[SarOutput, SarOutput]:
        """Return the outputs of G(reference, floating) and of F = G(floating, reference).

        Both are one batch to the network, so that batch normalisation sees both.
        """
        first = torch.cat([batch.reference, batch.floating])
        second = torch.cat([batch.floating, batch.reference])
        output = self.generator.register(first, second)
        count = len(batch.reference)
        return output.select(slice(count)), output.select(slice(count, None))

    def terms(self, batch: SarSample, forward: SarOutput, backward: SarOutput) -> dict[str, Tensor]:
        """Return the weighted terms of equation 6; those without a weight are left out."""
        loss = self.config.loss
        registered = forward.picture
        terms = {
            "cycle": loss.cycle_weight * measure_cycles(batch, forward, backward),
            "field": loss.field_weight * self._miss_fields(batch, forward, backward),
        }
        shrunk = [
            _shrink(picture, loss.content_shrink) for picture in (batch.reference, registered)
        ]
        if loss.nmi_weight:
            terms["nmi"] = loss.nmi_weight * miss_nmi(*shrunk)
        if loss.ssim_weight:
            terms["ssim"] = loss.ssim_weight * miss_ssim(*shrunk)
        if self.perceptual is not None:
            network = self.perceptual.to(registered.device)
            distance = compare_features(network, batch.reference, registered, loss.perceptual_px)
            terms["perceptual"] = loss.perceptual_weight * distance
        if loss.adversarial_weight:
            judged = deceive(self.reference_discriminator(registered))
            judged = judged + deceive(self.floating_discriminator(backward.picture))
            terms["adversarial"] = loss.adversarial_weight * judged
        if loss.has_masks:
            terms["dice"] = loss.dice_weight * self._miss_masks(batch, forward)
        if loss.smoothness_weight:
            terms["smoothness"] = loss.smoothness_weight * _measure_roughness(forward, backward)
        return terms

    def measure(self, batch: SarSample) -> Mapping[str, float]:
        """Return `rtre` before and after, and with masks the Dice before, after and of own masks.

        `dice` and `dice_before` compare the given masks, `own_dice` the generator's mask of the
        reference with the given one.
        """
        output = self.generator.register(batch.reference, batch.floating)
        inside = (batch.reference > 0).float()
        diagonal = float(np.hypot(*batch.reference.shape[-2:]))
        measures = {
            "rtre": _measure_error(output.displacement - batch.truth, inside) / diagonal,
            "rtre_before": _measure_error(batch.truth, inside) / diagonal,
        }
        if self.config.loss.has_masks:
            own = output.masks.hard[:, :1].float()
            warped = warp(batch.floating_mask, output.displacement, "zeros")
            pairs = {"dice": warped, "dice_before": batch.floating_mask, "own_dice": own}
            for name, mask in pairs.items():
                measures[name] = float(measure_dice(batch.reference_mask, mask).mean())
        return measures

    def picture(self, batch: SarSample) -> npt.NDArray[np.uint8]:
        """Draw a row a sample, (H, W, 3).

        Reference, floating, registered; overlays before and after, the reference red and the other
        cyan; the reference's fused maps and its own mask.
        """
        reference, floating = batch.reference[:SHOWN_SAMPLES], batch.floating[:SHOWN_SAMPLES]
        output = self.generator.register(reference, floating)
        registered = output.picture
        own = [output.masks.fused[:, :1], output.masks.hard[:, :1].float()]
        greys = [plane.expand(-1, 3, -1, -1) for plane in (reference, floating, registered, *own)]
        overlays = [torch.cat([reference, other, other], 1) for other in (floating, registered)]
        rows = torch.cat([*greys[:3], *overlays, *greys[3:]], 3).clamp(0, 1)
        stacked = torch.cat(list(rows), 1).permute(1, 2, 0)
        return np.asarray((255 * stacked).round().cpu().numpy(), np.uint8)

    def _miss_fields(self, batch: SarSample, forward: SarOutput, backward: SarOutput) -> Tensor:
        """Return the field term of both directions, whose applied fields are both known."""
        return (
            miss_field(batch.truth, forward.displacement, batch.known)
            + miss_field(batch.applied, backward.displacement, batch.known)
        ) / 2

    def _miss_masks(self, batch: SarSample, forward: SarOutput) -> Tensor:
        """Return what the masks' Dice lack, the mean of three.

        Equation 5 compares the reference's mask with the floating one through the field. Here the
        given floating mask moves the field. The generator's own masks of both pictures are compared
        with the given ones, from which the fusing weights learn.
        """
        soft = forward.masks.soft
        moved = warp(batch.floating_mask, forward.displacement, "zeros")
        return (
            miss_dice(batch.reference_mask, moved)
            + miss_dice(batch.reference_mask, soft[:, :1])
            + miss_dice(batch.floating_mask, soft[:, 1:])
        ) / 3

    def _adam(self, *networks: nn.Module) -> Optimizer:
        optimiser = self.config.optimiser
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(parameters, optimiser.rate, (optimiser.beta1, 0.999))


def measure_cycles(batch: SarSample, forward: SarOutput, backward: SarOutput) -> Tensor:
    """Return ‖F(G(x)) − x‖₁ + ‖G(F(y)) − y‖₁, means over pixels (equation 4).

    A registered picture goes back through the field that the other direction recovered. So the
    cycle asks that both fields are each other's inverse, which the paper names as its purpose, and
    needs no third and fourth pass of the generator.
    """
    floating = warp(forward.picture, backward.displacement, "zeros")
    reference = warp(backward.picture, forward.displacement, "zeros")
    return F.l1_loss(floating, batch.floating) + F.l1_loss(reference, batch.reference)


def _measure_roughness(forward: SarOutput, backward: SarOutput) -> Tensor:
    regular = [output.fields.regular for output in (forward, backward)]
    assert regular[0] is not None
    assert regular[1] is not None
    return (diffusion(regular[0]) + diffusion(regular[1])).mean() / 2


def _measure_error(difference: Tensor, inside: Tensor) -> float:
    distance = difference.square().sum(1, keepdim=True).sqrt()
    return float((distance * inside).sum() / inside.sum().clamp_min(1))


def _shrink(picture: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(picture, factor) if factor > 1 else picture
