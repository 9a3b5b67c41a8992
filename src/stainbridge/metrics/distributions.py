"""Compare a set of generated pictures with real ones: FID and KID on a network's features.

Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium" (arXiv:1706.08500); Bińkowski et al. 2018, "Demystifying MMD GANs" (arXiv:1801.01401).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingExtraError, MissingFileError

#: (N, 3, H, W) uint8 pictures to (N, D) features.
FeatureNet: TypeAlias = Callable[[Tensor], Tensor]

#: Random subsets that KID is averaged over; the paper's.
KID_SUBSETS = 100
#: Pictures of a subset, at most; the paper's.
KID_SUBSET_SIZE = 1000


@dataclass(frozen=True)
class DistributionScores:
    """Distances of two sets of pictures, 0 for equal sets.

    They depend on the number of pictures.
    """

    real: int
    """Number of real pictures."""
    generated: int
    """Number of generated pictures."""
    fid: float
    """Fréchet inception distance."""
    kid: float
    """Kernel inception distance, the mean over random subsets."""
    kid_deviation: float
    """Standard deviation over the subsets; nan where every subset is the whole."""


def load_feature_net(path: Path, device: str = "cpu") -> FeatureNet:
    """Load a network that maps (N, 3, H, W) uint8 pictures to (N, D) features on `device`.

    The file is TorchScript. A network with an argument `return_features`, as the published
    Inception file has, is called with it. Raises `InputError` for a file that is missing or not
    TorchScript.
    """
    if not path.is_file():
        raise MissingFileError("no such file of a feature network", where=path)
    with warnings.catch_warnings():
        # the published weights are TorchScript, whatever torch recommends for new ones
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
        try:
            net = torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise InputError("not a TorchScript file", where=path, got=error) from error
    takes_flag = "return_features" in {argument.name for argument in net.forward.schema.arguments}
    options = {"return_features": True} if takes_flag else {}
    return lambda images: net(images.to(device), **options)


def compute_features(batches: Iterable[Tensor], net: FeatureNet) -> Tensor:
    """Compute features (N, D), float64, of batches of (n, 3, H, W) uint8 pictures.

    Raises `InputError` for other pictures, for none at all, and for a network that does not give
    one vector for each picture.
    """
    computed = []
    with torch.no_grad():
        for images in batches:
            if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
                got = f"{tuple(images.shape)} {images.dtype}"
                raise InputError(
                    "features are taken of 8-bit RGB pictures",
                    expected="(N, 3, H, W) uint8",
                    got=got,
                )
            features = net(images)
            if features.ndim != 2 or len(features) != len(images):
                expected = f"({len(images)}, D)"
                raise InputError(
                    "not a feature network", expected=expected, got=tuple(features.shape)
                )
            computed.append(features.double().cpu())
    if not computed:
        raise InputError("there are no pictures", expected="at least two")
    return torch.cat(computed)


def score_distributions(real: Tensor, generated: Tensor, seed: int = 0) -> DistributionScores:
    """Compute FID and KID of features (N, D) and (M, D) from `compute_features`.

    `seed` draws KID's subsets. Raises `InputError` when there are fewer than two of either or the
    networks differ, and `MissingExtraError` without torchmetrics.
    """
    if min(len(real), len(generated)) < 2 or real.shape[1:] != generated.shape[1:]:
        raise InputError(
            "the sets cannot be compared",
            expected="at least two pictures each and the same features",
            got=f"{tuple(real.shape)} and {tuple(generated.shape)}",
        )
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance
        from torchmetrics.image.kid import KernelInceptionDistance
    except ModuleNotFoundError as error:
        raise MissingExtraError("FID and KID", "torchmetrics", "metrics") from error
    precomputed = _PrecomputedFeatures(real.shape[1])
    subset = min(KID_SUBSET_SIZE, len(real), len(generated))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings(
            "ignore", "Metric `Kernel Inception Distance` will save", UserWarning
        )
        torch.manual_seed(seed)
        frechet = FrechetInceptionDistance(precomputed).set_dtype(torch.float64)
        kernel = KernelInceptionDistance(precomputed, KID_SUBSETS, subset)
        for metric in (frechet, kernel):
            metric.update(real, real=True)
            metric.update(generated, real=False)
        kid, deviation = kernel.compute()
    # Where every subset is the whole of both sets, their variation is unknown.
    varies = subset < max(len(real), len(generated))
    return DistributionScores(
        len(real),
        len(generated),
        float(frechet.compute()),
        float(kid),
        float(deviation) if varies else float("nan"),
    )


class _PrecomputedFeatures(nn.Identity):
    """Replaces the network, since features are computed once for both metrics."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
