"""Small stacks in memory: blobs that drift through the stack, in two contrasts."""

from __future__ import annotations

import numpy as np
import torch

from stainbridge.joint.slices import PairedSlices, Slices

HEIGHT = 64
WIDTH = 96
MPP = 8.0


def make_stack(count: int = 6, with_labels: bool = True) -> PairedSlices:
    """Return slices whose moving side is shifted by 3 px and darker where the fixed is brighter."""
    fixed = [_draw_slice(number, 0.0) for number in range(count)]
    moving = [_draw_slice(number, 3.0) for number in range(count)]
    return PairedSlices(
        tuple(f"slice_{number}" for number in range(count)),
        _collect(fixed, with_labels, inverted=False),
        _collect(moving, with_labels, inverted=True),
        MPP,
        tuple(range(count)),
    )


def _draw_slice(number: int, shift_px: float) -> torch.Tensor:
    """Return one-hot classes (2, H, W): an ellipse with a nucleus that drifts."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x = x - shift_px
    outer = ((x - 46) / 34) ** 2 + ((y - 32) / 24) ** 2 < 1
    inner = (x - 40 - number) ** 2 + (y - 30) ** 2 < 100
    return torch.from_numpy(np.stack([outer & ~inner, outer & inner]).astype(np.uint8))


def _collect(classes: list[torch.Tensor], with_labels: bool, *, inverted: bool) -> Slices:
    labels = torch.stack(classes)
    tissue = labels.sum(1, keepdim=True).float()
    greys = (0.9, 0.4) if inverted else (0.4, 0.9)
    texture = torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(5)) * 0.05
    picture = (labels[:, :1] * greys[0] + labels[:, 1:] * greys[1] + texture) * tissue
    return Slices(picture.float(), tissue, labels if with_labels else None)
