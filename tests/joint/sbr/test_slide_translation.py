"""A whole moving slide in the fixed contrast."""

from __future__ import annotations

import numpy as np
import torch

from stainbridge.joint.field import GreyField
from stainbridge.joint.sbr.network import SynthByReg
from stainbridge.joint.sbr.slide_translation import make_slide_translation
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig
from stainbridge.slides.memory import ArraySlide


def make_field(generator: ResNetGenerator | None) -> GreyField:
    config = UNetSVFConfig(down=(8, 8, 8), up=(8, 8), last=(8,), squarings=4)
    network = SynthByReg(UNetSVF(config), generator).eval()
    return GreyField(network, 80, 1.0, torch.device("cpu"), calibrated=True)


def test_a_slide_is_translated_whole_and_black_off_the_tissue() -> None:
    torch.manual_seed(0)
    config = ResNetConfig(
        width=4, blocks=1, halvings=2, source_channels=1, target_channels=1, output="sigmoid"
    )
    y, x = np.mgrid[:70, :90]
    tissue = np.where((x - 45) ** 2 + (y - 35) ** 2 < 600, 120 + 40 * np.sin(x / 4), 0)
    slide = ArraySlide(tissue.astype(np.uint8)[None], mpp=1.0)
    translate = make_slide_translation(make_field(ResNetGenerator(config)))
    assert translate is not None
    made = translate(slide, None)
    assert made.shape == (70, 90)
    assert made[0, 0] == 0
    assert np.ptp(made[30:40, 40:50]) > 0


def test_a_network_without_a_generator_translates_nothing() -> None:
    assert make_slide_translation(make_field(None)) is None
