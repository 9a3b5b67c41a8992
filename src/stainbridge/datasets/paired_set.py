"""Choose and weigh the pairs of a set of `stainbridge pairs` by their estimated misalignment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError
from stainbridge.slides.patch_manifest import MANIFEST, KeptPatch, read_kept_patches
from stainbridge.translation.training.config import TileSamplingConfig
from stainbridge.translation.training.picture_stream import Pictures

#: What to do where a set cannot say how well its pairs are aligned.
REMEDY = "name a folder of stainbridge pairs, or leave out --max-residual and --weight-by-residual"


@dataclass(frozen=True)
class ResidualSummary:
    """How well the pairs of a set are aligned, by their own estimates."""

    pairs: int
    """How many pairs."""
    known: int
    """Of how many of them an estimate is known; the other numbers are of these."""
    median_px: float
    """Median misalignment in pixels of a tile; nan where none is known."""
    p90_px: float
    """Misalignment that nine pairs of ten do not exceed, in pixels."""
    median_um: float
    """The median in µm; nan where no pixel size is known."""
    p90_um: float
    """The ninetieth percentile in µm."""


@dataclass(frozen=True)
class PairedSet:
    """The scores of a set's pairs, found by the pictures' own places."""

    folder: Path
    """The folder of the set."""
    patches: Mapping[tuple[str, str], KeptPatch]
    """Its pairs by split and name."""

    @classmethod
    def read(cls, folder: Path) -> PairedSet:
        """Read the manifest; raise `InputError` for a folder without one."""
        if not has_scores(folder):
            raise InputError(
                "no scores of pairs there", where=folder, expected=MANIFEST, remedy=REMEDY
            )
        patches = read_kept_patches(folder)
        return cls(folder, {(patch.split, patch.name): patch for patch in patches})

    def select(self, pictures: Pictures, max_residual_px: float) -> Pictures:
        """Return the pairs whose residual is known and not larger.

        Raises `InputError` for pictures that the manifest lacks, and where none is left.
        """
        sources, targets = (
            tuple(path for path in paths if self._residual_px(path) <= max_residual_px)
            for paths in (pictures.sources, pictures.targets)
        )
        if not sources:
            known = self._known_residuals(pictures.sources)
            raise InputError(
                "no pair is aligned as well",
                where=pictures.sources[0].parent,
                expected=f"residuals up to {max_residual_px:g} px",
                got=f"{min(known):.3g} px at least" if known else "no residual is known",
            )
        return replace(pictures, sources=sources, targets=targets)

    def weigh(self, pictures: Pictures, scale_px: float) -> Pictures:
        """Return the pairs with weights of their residuals; see `weigh_residuals`."""
        residuals = [self._residual_px(path) for path in pictures.sources]
        if all(math.isnan(residual) for residual in residuals):
            raise InputError("no residual is known", where=self.folder / MANIFEST, remedy=REMEDY)
        return replace(pictures, weights=tuple(weigh_residuals(residuals, scale_px)))

    def list_split(self, split: str) -> list[KeptPatch]:
        """Return the pairs of a split, in the order of the manifest."""
        return [patch for patch in self.patches.values() if patch.split == split]

    def _known_residuals(self, paths: Iterable[Path]) -> list[float]:
        residuals = [self._residual_px(path) for path in paths]
        return [residual for residual in residuals if not math.isnan(residual)]

    def _residual_px(self, path: Path) -> float:
        key = path.parent.name, path.stem
        if key not in self.patches:
            raise InputError(
                "a picture that the manifest does not list",
                where=path,
                expected=f"the kept pairs of {self.folder / MANIFEST}",
                remedy="run stainbridge pairs again, or leave out what uses its scores",
            )
        return self.patches[key].residual_px


def has_scores(folder: Path) -> bool:
    """Return whether a folder has the manifest of a paired set."""
    return (folder / MANIFEST).is_file()


def weigh_residuals(residuals_px: Sequence[float], scale_px: float) -> list[float]:
    """Return weights 1 / (1 + (r / r0)²) of residuals r, divided by their mean; r0 is `scale_px`.

    The form is the weight function of Cauchy's robust estimator. A residual that is not known,
    nan, weighs nothing; one at least must be known.
    """
    ratio = np.asarray(residuals_px, np.float64) / scale_px
    weights = np.nan_to_num(1 / (1 + np.square(ratio)), nan=0.0)
    return [float(weight) for weight in weights / weights.mean()]


def summarise_residuals(patches: Sequence[KeptPatch]) -> ResidualSummary:
    """Return the median and the ninetieth percentile of the known residuals."""
    px = np.array([patch.residual_px for patch in patches], np.float64)
    um = np.array([patch.residual_um for patch in patches], np.float64)
    known = int((~np.isnan(px)).sum())
    return ResidualSummary(len(patches), known, *_percentiles(px), *_percentiles(um))


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan, math.nan
    median, p90 = np.percentile(known, [50, 90])
    return float(median), float(p90)


def describe_pairs(tiles: TileSamplingConfig, patches: Sequence[KeptPatch]) -> dict[str, str]:
    """Return what a model card says of the pairs that were trained on, by heading."""
    limit = tiles.max_residual_px
    used = [patch for patch in patches if limit is None or patch.residual_px <= limit]
    pairs = (
        f"{len(used)} of {len(patches)}, residual up to {limit:g} px" if limit else str(len(used))
    )
    facts = {"training pairs": pairs, "residual": format_residuals(summarise_residuals(used))}
    if tiles.weight_by_residual:
        scale = f"{tiles.residual_scale_px:g} px"
        weights = weigh_residuals([patch.residual_px for patch in used], tiles.residual_scale_px)
        span = f"{min(weights):.2f} to {max(weights):.2f}"
        facts["weights"] = f"1 / (1 + (residual / {scale})²), divided by their mean: {span}"
    return facts


def format_residuals(summary: ResidualSummary) -> str:
    """Return the summary in words: median and ninetieth percentile, in pixels and µm."""
    if not summary.known:
        return "unknown"
    text = f"median {_format(summary.median_px, summary.median_um)}"
    text += f", 90 % within {_format(summary.p90_px, summary.p90_um)}"
    unknown = summary.pairs - summary.known
    return f"{text}; unknown for {unknown} of {summary.pairs}" if unknown else text


def _format(px: float, um: float) -> str:
    return f"{px:.2f} px" if math.isnan(um) else f"{px:.2f} px ({um:.2f} µm)"
