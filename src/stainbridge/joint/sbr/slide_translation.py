"""A whole moving slide in the fixed contrast, to look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F

from stainbridge.geometry.transform import Affine
from stainbridge.imaging.image import Image
from stainbridge.joint.field import GreyField
from stainbridge.joint.grey import SlideGrey
from stainbridge.joint.sbr.network import SynthByReg
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.slides.slide import Slide
from stainbridge.types import Plane

#: Translates a slide whose tissue a mask shows, or is found.
TranslateSlide: TypeAlias = Callable[[Slide, Image | None], Plane]


def make_slide_translation(field: GreyField) -> TranslateSlide | None:
    """Return what translates a moving slide, None where the network does not translate.

    It returns (H, W) in 0 … 1, at the network's pixel size.
    """
    network = field.network
    if not isinstance(network, SynthByReg) or network.generator is None:
        return None
    return partial(_translate_slide, field, network)


def _translate_slide(
    field: GreyField, network: SynthByReg, moving: Slide, mask: Image | None
) -> Plane:
    grey = SlideGrey.fit(moving, mask)
    mpp = field.mpp if moving.frame.calibrated == field.calibrated else None
    view = frame_tissue(grey.section, field.longest_px, mpp)
    frame = moving.frame.at_mpp(view.mpp[0])
    space = moving.frame.space
    picture, _ = grey.read(Affine(np.eye(3), space, space), frame)
    pixels = torch.from_numpy(picture).to(field.device)[None, None]
    below, right = (-size % network.period for size in picture.shape)
    with torch.inference_mode():
        made = network.synthesise(F.pad(pixels, (0, right, 0, below)))
    return np.asarray(made[0, 0, : frame.height, : frame.width].float().cpu().numpy())
