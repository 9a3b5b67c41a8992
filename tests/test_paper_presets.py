"""Every preset `paper` has the numbers of its paper, or of its authors' code where that is silent.

Each entry names the paper or the code. A number that stainbridge chose itself is not in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from stainbridge.joint.sar.config import SarTraining
from stainbridge.joint.sbr.config import SbrTraining
from stainbridge.joint.sbr.table import VARIANTS
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.registration.training.config import AffineTraining, DeformableTraining
from stainbridge.settings import to_dict
from stainbridge.translation.objectives.table import OBJECTIVES
from stainbridge.translation.sharpening.config import SharpenTraining
from stainbridge.translation.training.config import TranslationTraining

Facts = dict[str, Any]

#: Wodzinski & Müller 2020: patches of 224 px, −NCC alone, Adam 1e-4 that decays each epoch of 230
#: pairs, gradients accumulated, group normalisation, sides of 600 to 2000 px, 500 epochs (code).
AFFINE: Facts = {
    "network.patch_px": 224,
    "network.grid_layers": 1,
    "network.groups": 12,
    "network.correlation": 0,
    "pairs.section_px": [600, 2000],
    "objective.similarity": "ncc",
    "objective.smoothness": 0.0,
    "objective.truth": 0.0,
    "optimiser.rate": 1e-4,
    "optimiser.decay": 0.995,
    "optimiser.epoch_steps": 230 // 10,
    "train.batch": 1,
    "train.accumulate": 10,
    "train.steps": 500 * 230 // 10,
}
#: CycGANRegNet 2022: patches of 256 px of 1024 px, −NCC and isotropic total variation, Adam 1e-4,
#: rotation and shear in −40° … 30°, 30 % of background at most.
DEFORMABLE: Facts = {
    "pairs.patch_px": 256,
    "pairs.mpp": 1.0,
    "pairs.min_tissue": 0.7,
    "pairs.augment.rotation_deg": [-40.0, 30.0],
    "pairs.augment.shear_deg": [-40.0, 30.0],
    "objective.similarity": "ncc",
    "objective.regulariser": "tv",
    "objective.smoothness": 0.1,
    "objective.truth": 0.0,
    "optimiser.rate": 1e-4,
    "optimiser.decay": 1.0,
    "train.steps": 20_000,
    "train.accumulate": 1,
}
#: The networks' own numbers: CycGANRegNet's weights; DIRNet; SbR's code; FlowNet 2015.
NETWORKS: dict[str, Facts] = {
    "multiscale-fcn": {"sigmas": [0.9, 0.6, 0.3, 0.05, 0.05], "correlation": 0},
    "fcn": {"widths": [32, 64, 128]},
    "dirnet": {"width": 16, "poolings": 4},
    "unet-svf": {
        "down": [16, 32, 32, 64, 64, 64],
        "up": [64, 64, 64, 32, 32],
        "last": [32, 16],
        "squarings": 7,
        "correlation": 0,
    },
    "flownet-s": {
        "widths": [64, 128, 256, 512, 512, 1024],
        "up": [512, 256, 128, 64],
        "scale_weights": [0.25, 0.25, 0.25, 0.5, 1.0],
    },
}
#: Johnson's generator with 9 residual blocks and a PatchGAN of 70 px (Isola et al. 2017).
RESNET: Facts = {
    "translation.generator.kind": "resnet",
    "translation.generator.width": 64,
    "translation.generator.blocks": 9,
    "translation.generator.halvings": 2,
    "translation.generator.output": "tanh",
}
PATCHGAN: Facts = {
    "translation.discriminator.scales": 1,
    "translation.discriminator.patch.width": 64,
    "translation.discriminator.patch.halvings": 3,
}
ADAM: Facts = {"translation.optimiser.rate": 2e-4, "translation.optimiser.betas": [0.5, 0.999]}
#: CycleGAN 2017: least squares, λ 10, identity half of it, a buffer of 50, batch 1, 256 px.
CYCLEGAN: Facts = {
    **RESNET,
    **PATCHGAN,
    **ADAM,
    "translation.generator.norm": "instance",
    "translation.generator.dropout": 0.0,
    "translation.discriminator.patch.norm": "instance",
    "translation.discriminator.patch.channels": 3,
    "translation.objective.adversary": "least-squares",
    "translation.objective.buffer_size": 50,
    "translation.tile_px": 256,
    "train.batch": 1,
    "train.accumulate": 1,
    "train.steps": 200_000,
}
#: BCI 2022 and its code: 1024 px, batch 2, 50 epochs of 3,896 pairs steady and 50 falling to 0,
#: batch normalisation, dropout 0.5, cross-entropy, a discriminator of pairs.
BCI: Facts = {
    **ADAM,
    "translation.discriminator.patch.channels": 6,
    "translation.optimiser.steady_steps": 50 * 3896 // 2,
    "translation.optimiser.decay_steps": 50 * 3896 // 2,
    "translation.tile_px": 1024,
    "train.batch": 2,
    "train.accumulate": 1,
    "train.steps": 100 * 3896 // 2,
}
PIX2PIX: Facts = {
    **BCI,
    **PATCHGAN,
    "translation.generator.norm": "batch",
    "translation.generator.dropout": 0.5,
    "translation.discriminator.patch.norm": "batch",
    "translation.objective.adversary": "vanilla",
    "translation.objective.feature_matching_weight": 0.0,
}
TRANSLATIONS: dict[str, Facts] = {
    "cyclegan": {
        **CYCLEGAN,
        "translation.objective.cycle_weight": 10.0,
        "translation.objective.identity_weight": 5.0,
        "translation.objective.perceptual_weight": 0.0,
        "translation.optimiser.steady_steps": 100_000,
        "translation.optimiser.decay_steps": 100_000,
    },
    # CycGANRegNet 2022: both weights 1, features of VGG-16, Adam 1e-4, 200,000 iterations.
    "cyclegan-perceptual": {
        **CYCLEGAN,
        "translation.objective.cycle_weight": 1.0,
        "translation.objective.identity_weight": 0.0,
        "translation.objective.perceptual_weight": 1.0,
        "translation.objective.perceptual.layers": [3],
        "translation.objective.perceptual.width": 64,
        "translation.objective.perceptual.activated": True,
        "translation.optimiser.rate": 1e-4,
        "translation.optimiser.steady_steps": 200_000,
        "translation.optimiser.decay_steps": 0,
    },
    # Isola et al. 2017: λ 100.
    "pix2pix": {
        **PIX2PIX,
        **RESNET,
        "translation.objective.pixel_weight": 100.0,
        "translation.objective.scale_weights": [],
    },
    "pix2pix-unet": {
        **PIX2PIX,
        "translation.generator.kind": "unet",
        "translation.generator.width": 64,
        "translation.generator.halvings": 8,
        "translation.objective.pixel_weight": 100.0,
        "translation.objective.scale_weights": [],
    },
    # Wang et al. 2018: three discriminators, feature matching 10, no L1.
    "pix2pixhd": {
        **BCI,
        "translation.generator.kind": "coarse-to-fine",
        "translation.generator.coarse.width": 64,
        "translation.generator.coarse.blocks": 9,
        "translation.generator.coarse.halvings": 4,
        "translation.generator.coarse.norm": "instance",
        "translation.generator.enhancers": 1,
        "translation.generator.blocks": 3,
        "translation.discriminator.scales": 3,
        "translation.discriminator.patch.norm": "instance",
        "translation.objective.adversary": "least-squares",
        "translation.objective.feature_matching_weight": 10.0,
        "translation.objective.pixel_weight": 0.0,
        "translation.objective.scale_weights": [],
    },
    # BCI 2022: λ 25 for the L1 and for S1, which alone is best.
    "pyramid-pix2pix": {
        **PIX2PIX,
        **RESNET,
        "translation.objective.pixel_weight": 25.0,
        "translation.objective.scale_weights": [25.0],
    },
    # Kong et al. 2021: cycle 10, correction 20, smoothness 10, Adam 1e-4, 80 epochs of 5,760.
    "reg-gan": {
        **CYCLEGAN,
        "translation.objective.adversarial_weight": 1.0,
        "translation.objective.cycle_weight": 10.0,
        "translation.objective.correction_weight": 20.0,
        "translation.objective.smoothness_weight": 10.0,
        "translation.optimiser.rate": 1e-4,
        "translation.optimiser.steady_steps": 80 * 5760,
        "translation.optimiser.decay_steps": 0,
        "train.steps": 80 * 5760,
    },
    # Li et al. 2023: λ 10 each, levels 1/64 … 1, 512 px, batch 1, 256 locations of 256 numbers.
    "supervised-patchnce": {
        **RESNET,
        **PATCHGAN,
        **ADAM,
        "translation.generator.norm": "instance",
        "translation.discriminator.patch.channels": 3,
        "translation.objective.adversary": "least-squares",
        "translation.objective.source_weight": 10.0,
        "translation.objective.target_weight": 10.0,
        "translation.objective.gaussian_weight": 10.0,
        "translation.objective.level_weights": [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0],
        "translation.objective.locations": 256,
        "translation.objective.embedding_width": 256,
        "translation.tile_px": 512,
        "train.batch": 1,
        "train.accumulate": 1,
    },
}
#: ESRGAN 2018: 23 blocks, features before the ReLU, L1 1e-2, adversarial 5e-3, tiles of 128 px.
SHARPEN: Facts = {
    "sharpen.generator.width": 64,
    "sharpen.generator.growth": 32,
    "sharpen.generator.blocks": 23,
    "sharpen.discriminator.width": 64,
    "sharpen.discriminator.halvings": 5,
    "sharpen.perceptual.activated": False,
    "sharpen.perceptual.layers": [12],
    "sharpen.perceptual_weight": 1.0,
    "sharpen.adversarial_weight": 5e-3,
    "sharpen.pixel_weight": 1e-2,
    "sharpen.optimiser.rate": 1e-4,
    "sharpen.optimiser.betas": [0.9, 0.99],
    "train.batch": 16,
    "train.accumulate": 1,
}
#: Casamitjana et al. 2021 and its code: crops of 320 x 384, half-resolution velocity, 7 squarings,
#: a generator of width 32 with 6 blocks and 3 down-samplings, decay to a quarter.
SBR: Facts = {
    **{f"network.{name}": value for name, value in NETWORKS["unet-svf"].items()},
    "generator.width": 32,
    "generator.blocks": 6,
    "generator.halvings": 3,
    "generator.antialias": True,
    "generator.output": "sigmoid",
    "generator.source_channels": 1,
    "generator.target_channels": 1,
    "slices.crop_px": [384, 320],
    "slices.neighbours": 3,
    "slices.augment.nodes": 9,
    "optimiser.final_share": 0.25,
    "train.accumulate": 1,
}
#: Networks R: batch 10, Adam 1e-3, λ_R 1, windows of 9 x 9.
REGISTRATION: Facts = {
    **SBR,
    "objective.smoothness": 1.0,
    "optimiser.rate": 1e-3,
    "train.batch": 10,
}
#: Networks G: 400 epochs of Allen's 93 sections, batch 1, Adam 2e-4, λ_G 0.1.
SYNTHESIS: Facts = {
    **SBR,
    "objective.smoothness": 0.1,
    "optimiser.rate": 2e-4,
    "train.batch": 1,
    "train.steps": 400 * 93,
}
#: λ_geo 0.1, τ 0.05, 256 locations of 256 numbers.
CONTRAST: Facts = {
    "objective.contrast": 0.1,
    "objective.temperature": 0.05,
    "objective.locations": 256,
    "objective.projection": 256,
}
SLICES: dict[str, Facts] = {
    "registration": {**REGISTRATION, "objective.radius": 4},
    "sbr": {**SYNTHESIS, **CONTRAST},
    "sbr-n": {**SYNTHESIS, **CONTRAST, "objective.contrast": 0.0},
    "sbr-g": {**SYNTHESIS, **CONTRAST, "objective.discriminator.halvings": 3},
    "cgan": {**SYNTHESIS, "objective.cycle": 10.0, "objective.discriminator.halvings": 3},
    "nmi": {**REGISTRATION, "objective.bins": 20},
    "nmi-w": {**REGISTRATION, "objective.bins": 20},
}
#: Mahapatra & Ge: pictures of 512 px, 64 maps, 8 convolutions 64 → 512, λ 10, Adam 1e-3 with β1
#: 0.93, 10⁵ updates, displacements of 1 to 20 px, all of VGG-16's maps.
SAR: Facts = {
    "generator.width": 64,
    "generator.shrink": 1,
    "generator.correlation": 0,
    "generator.picture": "generated",
    "discriminator.widths": [64, 64, 128, 128, 256, 256, 512, 512],
    "pairs.size_px": 512,
    "pairs.displacement_px": [1.0, 20.0],
    "loss.nmi_weight": 1.0,
    "loss.ssim_weight": 1.0,
    "loss.perceptual_weight": 1.0,
    "loss.adversarial_weight": 1.0,
    "loss.cycle_weight": 10.0,
    "loss.dice_weight": 1.0,
    "loss.field_weight": 1.0,
    "loss.smoothness_weight": 0.0,
    "loss.content_shrink": 1,
    "loss.perceptual_px": 0,
    "loss.perceptual.layers": list(range(13)),
    "loss.perceptual.width": 64,
    "optimiser.rate": 1e-3,
    "optimiser.beta1": 0.93,
    "optimiser.decay": 1.0,
    "train.steps": 100_000,
    "train.accumulate": 1,
}


def list_presets() -> Iterator[tuple[str, Any, Facts]]:
    """Yield every preset `paper` that there is: its name, its settings, and its facts."""
    yield "affine", AffineTraining.preset("paper"), AFFINE
    for name in DEFORMABLE_NETWORKS:
        own = {f"network.{key}": value for key, value in NETWORKS[name].items()}
        yield f"deformable {name}", DeformableTraining.preset("paper", name), {**DEFORMABLE, **own}
    for name in OBJECTIVES:
        settings = TranslationTraining.preset(name, "paper")
        yield f"translate {name}", settings, TRANSLATIONS[name]
    for factor in (2, 4):
        own = {"sharpen.generator.factor": factor}
        yield f"sharpen {factor}", SharpenTraining.preset("paper", factor), {**SHARPEN, **own}
    for name in VARIANTS:
        yield f"sbr {name}", SbrTraining.preset("paper", name), SLICES[name]
    yield "sar", SarTraining.preset("paper"), SAR


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


PRESETS = list(list_presets())


@pytest.mark.parametrize(
    ("settings", "facts"),
    [(settings, facts) for _, settings, facts in PRESETS],
    ids=[name for name, _, _ in PRESETS],
)
def test_the_preset_paper_has_the_paper_s_numbers(settings: Any, facts: Facts) -> None:
    values = dict(flatten(to_dict(settings)))
    assert {name: values.get(name, "missing") for name in facts} == facts
