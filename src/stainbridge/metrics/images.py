"""How alike two pictures are that lie on each other, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from skimage.metrics import normalized_mutual_information, structural_similarity

from stainbridge.errors import InputError
from stainbridge.metrics.counted import counted
from stainbridge.similarity.lncc import local_ncc
from stainbridge.similarity.ncc import ncc
from stainbridge.types import Mask, Pixels

LOCAL_RADIUS = 4
#: Added to local variances, as a share of the span squared: windows that differ by less than a grey
#: level say nothing.
LOCAL_NOISE = 1e-5
#: The variance, as a share of the span squared, at which a picture begins to count as flat.
FLAT = 1e-12
NMI_BINS = 100
UNIFORM_7: dict[str, Any] = {"win_size": 7}
GAUSSIAN_11: dict[str, Any] = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "win_size": 11,
}


@dataclass(frozen=True)
class ImageScores:
    """`pixels` were compared, whose values may span `span`.

    On the mean of the channels: `ncc`, Pearson's coefficient; `local_ncc`, its mean over 9 x 9
    windows; `nmi`, (H(A) + H(B)) / H(A, B) with 100 bins from each picture's least to its greatest
    value (1 to 2; nan for two flat pictures). On all channels: `ssim_uniform7` (7 x 7 uniform
    window, sample covariance, scikit-image's default) and `ssim_gaussian11` (11 x 11 Gaussian, σ
    1.5, Wang et al. 2004), which are not comparable with each other; `rmse` in grey values;
    `psnr_db`, 20 log10(span / rmse), infinite for equal pictures.
    """

    pixels: int
    span: float
    ncc: float
    local_ncc: float
    nmi: float
    ssim_uniform7: float
    ssim_gaussian11: float
    psnr_db: float
    rmse: float


def score_images(
    a: Pixels, b: Pixels, mask: Mask | None = None, span: float | None = None
) -> ImageScores:
    """Compare (C, H, W) pictures, or the part of them in `mask`, (H, W).

    Windows are counted by their centres and see what lies around the mask. `span` is the range of
    possible values, by default that of the pixels' integer type. Raises `InputError` when sizes,
    channels or types differ, the mask does not fit or is empty, floating pixels come without a span
    or are not finite, or a side is shorter than 11 pixels.
    """
    _check(a, b)
    inside = counted(mask, a.shape[1:])
    span = _span(a, span)
    grey_a, grey_b = (pixels.mean(axis=0, dtype=np.float64) for pixels in (a, b))
    error = rmse(a, b, inside)
    tensor_a, tensor_b = (torch.from_numpy(grey / span)[None, None] for grey in (grey_a, grey_b))
    weight = torch.from_numpy(inside.astype(np.float64))[None, None]
    return ImageScores(
        pixels=int(inside.sum()),
        span=span,
        ncc=float(ncc(tensor_a, tensor_b, weight, noise=FLAT)),
        local_ncc=float(local_ncc(tensor_a, tensor_b, weight, LOCAL_RADIUS, LOCAL_NOISE)),
        nmi=normalised_mutual_information(grey_a[inside], grey_b[inside]),
        ssim_uniform7=_ssim(a, b, inside, span, UNIFORM_7),
        ssim_gaussian11=_ssim(a, b, inside, span, GAUSSIAN_11),
        psnr_db=psnr_db(error, span),
        rmse=error,
    )


def rmse(a: Pixels, b: Pixels, inside: Mask) -> float:
    """Root of the mean squared difference of (C, H, W) pictures over channels and the pixels
    `inside`, (H, W).
    """
    difference = a[:, inside].astype(np.float64) - b[:, inside]
    return float(np.sqrt(np.mean(difference**2)))


def psnr_db(error: float, span: float) -> float:
    """Peak signal-to-noise ratio of a root mean squared error, both in grey values."""
    return float(20 * np.log10(span / error)) if error > 0 else float("inf")


def normalised_mutual_information(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """(H(a) + H(b)) / H(a, b) of samples (N,): 1 independent, 2 the same; nan where neither varies."""
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return float("nan")
    return float(normalized_mutual_information(a, b, bins=NMI_BINS))


def _ssim(a: Pixels, b: Pixels, inside: Mask, span: float, window: dict[str, Any]) -> float:
    """Mean over channels and the whole windows whose centres are inside."""
    margin = window["win_size"] // 2
    centres = inside[margin:-margin, margin:-margin]
    if not centres.any():
        raise InputError(
            "the mask holds no whole SSIM window",
            expected=f"a pixel {margin} or more from every side",
        )
    _, values = structural_similarity(a, b, data_range=span, channel_axis=0, full=True, **window)
    return float(values[:, margin:-margin, margin:-margin][:, centres].mean(dtype=np.float64))


def _check(a: Pixels, b: Pixels) -> None:
    if a.ndim != 3 or a.shape != b.shape:
        raise InputError(
            "the pictures do not have the same size and channels", expected=a.shape, got=b.shape
        )
    if a.dtype != b.dtype:
        raise InputError(
            "the pictures do not have the same type of pixels", expected=a.dtype, got=b.dtype
        )
    if min(a.shape[1:]) < GAUSSIAN_11["win_size"]:
        raise InputError(
            "the pictures are too small", expected="at least 11 x 11 pixels", got=a.shape[1:]
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("the pictures have values that are not finite")


def _span(pixels: Pixels, span: float | None) -> float:
    if span is not None:
        if not (np.isfinite(span) and span > 0):
            raise InputError("the span of values must be positive", got=span)
        return float(span)
    if pixels.dtype.kind not in "iu":
        raise InputError(
            "floating pixels need their span of values",
            got=pixels.dtype,
            remedy="say it: 1, or 255",
        )
    limits = np.iinfo(pixels.dtype)
    return float(limits.max) - float(limits.min)
