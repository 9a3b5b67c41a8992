"""The table of similarities that a configuration can name.

A new similarity is one new file in this folder and one line in `SIMILARITIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.similarity.lncc import local_ncc
from stainbridge.similarity.mind import mind_distance
from stainbridge.similarity.ncc import ncc
from stainbridge.similarity.ngf import ngf
from stainbridge.similarity.nmi import nmi
from stainbridge.similarity.ssim import ssim

#: A measure as published: (fixed, moving, weight or None, options by keyword) → (B,).
Measure: TypeAlias = Callable[..., Tensor]


@dataclass(frozen=True)
class Similarity:
    """A measure of two pictures, with one signature and one direction for all measures."""

    measure: Measure
    """The measure as published: (fixed, moving, weight or None) → (B,)."""
    paper: str
    """Where the measure was published."""
    higher_is_better: bool = True
    """False for a distance, which is 0 for equal pictures."""
    options: tuple[str, ...] = ()
    """Keyword arguments of `measure` that a configuration may set."""

    def __call__(
        self, fixed: Tensor, moving: Tensor, weight: Tensor | None = None, **options: Any
    ) -> Tensor:
        """Return how similar (B, 1, H, W) pictures are, as (B,); higher is better.

        `weight` ≥ 0 broadcasts to the pictures: a pixel of weight 0 does not count. Differentiable
        in both pictures. `options` that this measure does not have are ignored, so that one
        configuration serves all measures.
        """
        known = {name: value for name, value in options.items() if name in self.options}
        value = self.measure(fixed, moving, weight, **known)
        return value if self.higher_is_better else -value


def _gaussian_ssim(
    fixed: Tensor,
    moving: Tensor,
    weight: Tensor | None = None,
    *,
    span: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """Return the SSIM in Gaussian windows of values in `span`, as other measures take it."""
    low, high = span
    return ssim(fixed, moving, weight, window="gaussian11", span=high - low)


SIMILARITIES: dict[str, Similarity] = {
    "ncc": Similarity(ncc, "Pearson 1895, doi:10.1098/rspl.1895.0041"),
    "local-ncc": Similarity(
        local_ncc, "Avants et al. 2008, doi:10.1016/j.media.2007.06.004", options=("radius",)
    ),
    "nmi": Similarity(
        nmi, "Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0", options=("bins", "span")
    ),
    "mind-ssc": Similarity(
        mind_distance,
        "Heinrich et al. 2013, doi:10.1007/978-3-642-40811-3_24",
        False,
        ("dilation",),
    ),
    "ngf": Similarity(ngf, "Haber & Modersitzki 2006, doi:10.1007/11866763_89", options=("noise",)),
    "ssim": Similarity(
        _gaussian_ssim,
        "Wang et al. 2004, doi:10.1109/TIP.2003.819861",
        options=("span",),
    ),
}


def find_similarity(name: str) -> Similarity:
    """Return the similarity of that name; raises `InputError` for a name not in the table."""
    if name not in SIMILARITIES:
        raise InputError("no such similarity", expected=", ".join(SIMILARITIES), got=name)
    return SIMILARITIES[name]
