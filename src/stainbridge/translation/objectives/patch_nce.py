"""Contrastive losses between places of two pictures, plain and weighted for pairs that are not
quite aligned.

Park et al. 2020, arXiv:2007.15651 (PatchNCE); Li et al. 2023, "Adaptive supervised PatchNCE loss
for learning H&E-to-IHC stain translation with inconsistent groundtruth image pairs",
arXiv:2303.06193.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stainbridge.errors import InputError

TEMPERATURE = 0.07


def drawn_places(features: Sequence[Tensor], count: int) -> list[Tensor]:
    """For each layer (N, C, h, w) the numbers (P,) of up to `count` different pixels, in reading
    order.
    """
    sizes = (x.shape[-2] * x.shape[-1] for x in features)
    return [
        torch.randperm(size)[:count].to(x.device) for size, x in zip(sizes, features, strict=True)
    ]


def contrast(query: Tensor, reference: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """PatchNCE (N, P) of unit vectors (N, P, D): the same place is the positive, the picture's
    others the negatives.

    −log softmax of the cosine similarities over `temperature`; no gradient flows into `reference`.
    """
    if query.shape != reference.shape:
        raise InputError(
            "as many queries as references", expected=tuple(reference.shape), got=tuple(query.shape)
        )
    similarity = (
        query.float() @ reference.detach().float().transpose(1, 2) / temperature
    )  # (N, P, P)
    return -torch.log_softmax(similarity, dim=-1).diagonal(dim1=1, dim2=2)


def patch_nce(query: Sequence[Tensor], reference: Sequence[Tensor]) -> Tensor:
    """Mean PatchNCE over layers, pictures and places; a scalar."""
    return torch.stack(
        [contrast(q, r).mean() for q, r in zip(query, reference, strict=True)]
    ).mean()


def adaptive_patch_nce(query: Sequence[Tensor], reference: Sequence[Tensor], done: float) -> Tensor:
    """PatchNCE against the real target, its places weighted by how alike they are; a scalar.

    `done` in 0 … 1 is how much of the training is over: weights begin equal and end as `likeness`.
    """
    layers = zip(query, reference, strict=True)
    return torch.stack(
        [(adaptive_weights(q, r, done) * contrast(q, r)).mean() for q, r in layers]
    ).mean()


def adaptive_weights(query: Tensor, reference: Tensor, done: float) -> Tensor:
    """(1 − done) + done · likeness of unit vectors (N, P, D), scaled to a mean of 1 over each
    picture: (N, P).

    The likeness is a sigmoid of the cosine similarity, steep about 0.5, so that misaligned places,
    whose features agree less, count less. No gradient flows through the weights. The schedule is
    the paper's linear one.
    """
    with torch.no_grad():
        cosine = (query.float() * reference.float()).sum(-1).clamp(0, 1)
        weights = (1 - done) + done * torch.sigmoid(5 * (cosine - 0.5))
        return weights / weights.mean(1, keepdim=True)
