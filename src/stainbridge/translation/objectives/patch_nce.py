"""Contrastive losses between locations of two pictures, plain and weighted for misaligned pairs.

Park et al. 2020, arXiv:2007.15651 (PatchNCE); Li et al. 2023, "Adaptive supervised PatchNCE loss
for learning H&E-to-IHC stain translation with inconsistent groundtruth image pairs",
arXiv:2303.06193.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError

#: Cosine similarities are divided by it: PatchNCE's.
TEMPERATURE = 0.07


def draw_locations(
    features: Sequence[Tensor], count: int, mask: Tensor | None = None
) -> list[Tensor]:
    """Draw up to `count` different pixels of each layer (N, C, h, w).

    `mask` (N, 1, H, W) or (1, 1, H, W), at the pictures' resolution, is above 0 in the tissue.
    Then only pixels that touch the tissue of every picture are drawn; where they are fewer than
    `count`, all are. Returns a layer's pixel numbers (P,), counted in reading order. Raises
    `InputError` for a mask without such a pixel.
    """
    if mask is None:
        sizes = (x.shape[-2] * x.shape[-1] for x in features)
        return [
            torch.randperm(size)[:count].to(x.device)
            for size, x in zip(sizes, features, strict=True)
        ]
    inside = _intersect_masks(mask)
    return [_draw_inside(inside, x, count) for x in features]


def _intersect_masks(mask: Tensor) -> Tensor:
    """Return where all masks (N, 1, H, W) are above 0, (1, 1, H, W) of 0 and 1."""
    inside = (mask > 0).all(0, keepdim=True).float()
    if not inside.any():
        raise InputError("no location is inside the mask", got=f"an empty mask {tuple(mask.shape)}")
    return inside


def _draw_inside(inside: Tensor, layer: Tensor, count: int) -> Tensor:
    """Draw up to `count` of a layer's pixels that cover a pixel of `inside` (1, 1, H, W)."""
    height, width = layer.shape[-2:]
    touched = F.adaptive_max_pool2d(inside, (height, width)).flatten().nonzero().flatten()
    order = torch.randperm(len(touched))[:count]
    return touched[order.to(touched.device)].to(layer.device)


def contrast(query: Tensor, reference: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return PatchNCE (N, P) of unit vectors (N, P, D).

    The same location is the positive, the picture's other locations are the negatives: −log softmax
    of the cosine similarities over `temperature`. No gradient flows into `reference`.
    """
    if query.shape != reference.shape:
        raise InputError(
            "as many queries as references", expected=tuple(reference.shape), got=tuple(query.shape)
        )
    similarity = (
        query.float() @ reference.detach().float().transpose(1, 2) / temperature
    )  # (N, P, P)
    return -torch.log_softmax(similarity, dim=-1).diagonal(dim1=1, dim2=2)


def patch_nce(
    query: Sequence[Tensor], reference: Sequence[Tensor], temperature: float = TEMPERATURE
) -> Tensor:
    """Return the mean PatchNCE over layers, pictures and locations, a scalar.

    Cosine similarities are divided by `temperature`; Synth-by-Reg's is 0.05.
    """
    layers = [contrast(q, r, temperature).mean() for q, r in zip(query, reference, strict=True)]
    return torch.stack(layers).mean()


def adaptive_patch_nce(
    query: Sequence[Tensor], reference: Sequence[Tensor], progress: float
) -> Tensor:
    """Return PatchNCE against the real target, weighted by `adaptive_weights`; a scalar.

    `progress` is the share of the training that has passed, 0 … 1.
    """
    layers = [
        (adaptive_weights(q, r, progress) * contrast(q, r)).mean()
        for q, r in zip(query, reference, strict=True)
    ]
    return torch.stack(layers).mean()


def adaptive_weights(query: Tensor, reference: Tensor, progress: float) -> Tensor:
    """Return weights (N, P) of locations by how similar their unit vectors (N, P, D) are.

    (1 − progress) + progress · s, scaled to a mean of 1 over each picture, where s is a sigmoid of
    the cosine similarity, steep about 0.5. Misaligned locations, whose features agree less, so
    count less towards the end. No gradient flows through the weights. The schedule is the paper's
    linear one.
    """
    with torch.no_grad():
        cosine = (query.float() * reference.float()).sum(-1).clamp(0, 1)
        weights = (1 - progress) + progress * torch.sigmoid(5 * (cosine - 0.5))
        return weights / weights.mean(1, keepdim=True)
