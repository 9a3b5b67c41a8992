"""What an evaluation of translations found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stainbridge.datasets.paired_set import ResidualSummary
    from stainbridge.evaluate.translation import MeanScores
    from stainbridge.evaluate.translation_shifts import ShiftScores

#: What the picture of shifted targets shows: measures and their headings.
SHOWN_MEASURES = {
    "psnr_db": "PSNR, dB",
    "ssim_gaussian11": "SSIM, 11 x 11",
    "dab_dice": "Dice of DAB",
    "lpips_alex": "LPIPS, AlexNet",
    "lpips_vgg": "LPIPS, VGG-16",
}


@dataclass(frozen=True)
class EvaluateTranslationOutcome:
    """How far translations are from the real stain."""

    split: str
    """Which part of the data was used."""
    pictures: int
    """How many tiles were compared."""
    size: str
    """Their size, for people: scores change with it."""
    means: tuple[MeanScores, ...]
    """Mean scores of each model, direction and level."""
    distributions: dict[str, dict[str, Any]]
    """FID and KID by model; empty without a feature network."""
    stains: tuple[str, str]
    """Source and target."""
    written: tuple[Path, ...]
    """The tables and the pictures; empty when none were asked for."""
    residual: ResidualSummary | None
    """How well the tiles of a paired set are aligned; None for other data."""
    shifts: tuple[ShiftScores, ...]
    """Scores of the real targets against themselves, shifted; empty where not asked for."""
    equal_shifts: dict[str, dict[str, float]]
    """The shift in pixels that scores like each model, by model and measure."""

    @property
    def whole_means(self) -> list[MeanScores]:
        """The means of each model's translations over all tiles."""
        return select_whole(self.means)

    @property
    def shown_measures(self) -> dict[str, str]:
        """The measures of shifted targets that are known, and their headings."""
        return {
            name: heading
            for name, heading in SHOWN_MEASURES.items()
            if any(
                getattr(point.scores, name) == getattr(point.scores, name) for point in self.shifts
            )
        }


def select_whole(means: Sequence[MeanScores]) -> list[MeanScores]:
    """Return the means of translations over all tiles, one a model."""
    from stainbridge.evaluate.translation import ALL, FORWARD

    return [line for line in means if (line.direction, line.level) == (FORWARD, ALL)]


def list_extra_columns(outcome: EvaluateTranslationOutcome) -> dict[str, dict[str, Any]]:
    """Return further columns of the means, by model: FID and KID, and the tiles' residual."""
    residual = outcome.residual
    columns = {} if residual is None else asdict(residual)
    shown = {
        f"residual_{name}": "" if value != value else f"{value:.6g}"
        for name, value in columns.items()
        if name not in ("pairs", "known")
    }
    return {
        line.model: {**outcome.distributions.get(line.model, {}), **shown}
        for line in outcome.whole_means
    }
