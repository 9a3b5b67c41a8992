"""Compare two pictures pixel by pixel: correlation, mutual information, SSIM, PSNR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from skimage.metrics import normalized_mutual_information, structural_similarity

from stainbridge.errors import InputError
from stainbridge.metrics.masks import select_mask
from stainbridge.similarity.lncc import local_ncc
from stainbridge.similarity.ncc import ncc
from stainbridge.types import Mask, Pixels

#: Radius of the windows of the local correlation, in pixels.
LOCAL_RADIUS_PX = 4
#: Added to local variances, as a share of the squared span: windows that vary by less than a grey
#: level do not count.
LOCAL_NOISE = 1e-5
#: Variance, as a share of the squared span, below which a picture counts as flat.
FLAT_VARIANCE = 1e-12
#: Bins of the histogram of the mutual information, for each picture.
NMI_BINS = 100
#: scikit-image's options of SSIM with a 7 x 7 uniform window.
UNIFORM_7: dict[str, Any] = {"win_size": 7}
#: scikit-image's options of SSIM with an 11 x 11 Gaussian window, as published.
GAUSSIAN_11: dict[str, Any] = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "win_size": 11,
}


@dataclass(frozen=True)
class ImageScores:
    """How similar two pictures are.

    `ncc`, `local_ncc` and `nmi` are of the mean of the channels, the others of all channels. The
    two kinds of SSIM are not comparable.
    """

    pixels: int
    """Number of compared pixels."""
    span: float
    """Range of possible values."""
    ncc: float
    """Pearson's coefficient."""
    local_ncc: float
    """Its mean over 9 x 9 windows."""
    nmi: float
    """(H(A) + H(B)) / H(A, B), 1 to 2, with 100 bins over each picture's range; nan for two flat
    pictures."""
    ssim_uniform7: float
    """SSIM with a 7 x 7 uniform window and sample covariances, scikit-image's default."""
    ssim_gaussian11: float
    """SSIM with an 11 x 11 Gaussian window, σ 1.5 (Wang et al. 2004)."""
    psnr_db: float
    """20 log10(span / rmse); infinite for equal pictures."""
    rmse: float
    """Root of the mean squared difference, in grey values."""


def score_images(
    a: Pixels, b: Pixels, mask: Mask | None = None, span: float | None = None
) -> ImageScores:
    """Compare (C, H, W) pictures, or the part of them in `mask`, (H, W).

    Windows count by their centres, and include pixels around the mask. `span` is the range of
    possible values, by default that of the pixels' integer type. Raises `InputError` when sizes,
    channels or types differ, the mask does not fit or is empty, floating pixels come without a span
    or are not finite, or a side is shorter than 11 pixels.
    """
    _check(a, b)
    inside = select_mask(mask, a.shape[1:])
    span = _span(a, span)
    grey_a, grey_b = (pixels.mean(axis=0, dtype=np.float64) for pixels in (a, b))
    error = rmse(a, b, inside)
    tensor_a, tensor_b = (torch.from_numpy(grey / span)[None, None] for grey in (grey_a, grey_b))
    weight = torch.from_numpy(inside.astype(np.float64))[None, None]
    return ImageScores(
        pixels=int(inside.sum()),
        span=span,
        ncc=float(ncc(tensor_a, tensor_b, weight, noise=FLAT_VARIANCE)),
        local_ncc=float(local_ncc(tensor_a, tensor_b, weight, LOCAL_RADIUS_PX, LOCAL_NOISE)),
        nmi=normalised_mutual_information(grey_a[inside], grey_b[inside]),
        ssim_uniform7=_ssim(a, b, inside, span, UNIFORM_7),
        ssim_gaussian11=_ssim(a, b, inside, span, GAUSSIAN_11),
        psnr_db=psnr_db(error, span),
        rmse=error,
    )


def rmse(a: Pixels, b: Pixels, inside: Mask) -> float:
    """Return the root of the mean squared difference of (C, H, W) pictures.

    Over all channels of the pixels `inside`, (H, W).
    """
    difference = a[:, inside].astype(np.float64) - b[:, inside]
    return float(np.sqrt(np.mean(difference**2)))


def psnr_db(error: float, span: float) -> float:
    """Return the peak signal-to-noise ratio of a root mean squared error in grey values."""
    return float(20 * np.log10(span / error)) if error > 0 else float("inf")


def normalised_mutual_information(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Return (H(a) + H(b)) / H(a, b) of samples (N,), 1 to 2; nan where neither varies."""
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return float("nan")
    return float(normalized_mutual_information(a, b, bins=NMI_BINS))


def ssim_gaussian11(a: Pixels, b: Pixels, span: float) -> float:
    """Return SSIM of (C, H, W) pictures with 11 x 11 Gaussian windows, the mean of the channels.

    Raises `InputError` for pictures without a whole window.
    """
    return _ssim(a, b, np.ones(a.shape[1:], bool), span, GAUSSIAN_11)


def _ssim(a: Pixels, b: Pixels, inside: Mask, span: float, window: dict[str, Any]) -> float:
    """Average over channels and the whole windows whose centres are inside."""
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
            remedy="pass span, such as 1 or 255",
        )
    limits = np.iinfo(pixels.dtype)
    return float(limits.max) - float(limits.min)
