"""The row of one method on one case, seen as it is or through one translation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, TypeAlias, get_type_hints

#: What tells rows apart: data set, case, translation and method.
RowKey: TypeAlias = tuple[str, str, str, str]
#: `ok`, `fallback` and `failed` come from the method; `unreadable` slides cannot be opened, and
#: `skipped` pairs hold no slide of the stain that the translation begins at.
SynthesisStatus = Literal["ok", "fallback", "failed", "unreadable", "skipped"]
#: The statuses of rows whose slides no method saw.
UNSEEN = ("unreadable", "skipped")
#: The name of the pair as it is, not translated.
REAL = "real"
#: The name of the method that registers nothing.
IDENTITY = "identity"


@dataclass(frozen=True)
class SynthesisRow:
    """How well one method aligned one case, of which it saw one slide translated or none.

    Scores of pictures are means over patches, or of the block of tissue. `patch_…` and `block_…`
    compare the warped moving with the fixed slide as the method saw them, as CycGANRegNet does.
    `…_same_stain_…` compare the real moving slide, warped, with the same fixed section in the
    moving slide's stain, which only generated tissue has; they mean the same for every translation.
    """

    data_set: str
    """The name of the data set."""
    case: str
    """The id of the case."""
    translation: str
    """`real`, or the name of the translation."""
    method: str
    """The name of the method."""
    status: str
    """How the run ended; a `SynthesisStatus`."""
    reason: str = ""
    """Why it ended so, in one line."""
    translated: str = ""
    """The slide that was translated, `fixed` or `moving`; empty for the real pair."""
    landmarks: int = 0
    """How many landmarks are known on both slides."""
    rtre_median: float | None = None
    """Median landmark error ÷ the diagonal of the fixed slide."""
    rtre_mean: float | None = None
    """Its mean."""
    rtre_p90: float | None = None
    """Its 90th percentile."""
    patches: int = 0
    """How many patches of tissue are compared."""
    patch_ncc: float | None = None
    """Pearson's coefficient of patches."""
    patch_ssim: float | None = None
    """SSIM of patches, 11 x 11 Gaussian windows."""
    patch_nmi: float | None = None
    """Normalised mutual information of patches, 1 to 2."""
    patch_same_stain_ncc: float | None = None
    """The same as `patch_ncc`, against the fixed section in the moving stain."""
    patch_same_stain_ssim: float | None = None
    """The same as `patch_ssim`, against the fixed section in the moving stain."""
    patch_same_stain_nmi: float | None = None
    """The same as `patch_nmi`, against the fixed section in the moving stain."""
    tissue_dice: float | None = None
    """Dice of the tissue of both slides."""
    tissue_hausdorff_px: float | None = None
    """Hausdorff distance of their outlines, in full-resolution pixels of the fixed slide."""
    class_dice: float | None = None
    """Mean Dice of the annotated regions, by class; None without annotations."""
    block_ssim: float | None = None
    """SSIM of the block of tissue, 11 x 11 Gaussian windows."""
    block_ncc: float | None = None
    """Pearson's coefficient of the block of tissue."""
    block_same_stain_ssim: float | None = None
    """The same as `block_ssim`, against the fixed section in the moving stain."""
    block_same_stain_ncc: float | None = None
    """The same as `block_ncc`, against the fixed section in the moving stain."""
    folded: float | None = None
    """The share of the fixed slide's area where the transform folds."""
    seconds: float | None = None
    """Wall time of the registration, its pre-alignment included."""
    translation_s: float | None = None
    """Wall time of a first look at the translated slide, which computes it."""

    @property
    def key(self) -> RowKey:
        """What tells rows apart."""
        return self.data_set, self.case, self.translation, self.method

    @property
    def has_transform(self) -> bool:
        """Whether the run gave a transform."""
        return self.status in ("ok", "fallback")

    def to_line(self) -> dict[str, str]:
        """Return the fields as text, for a CSV; None is empty."""
        return {name: _format(value) for name, value in asdict(self).items()}

    @classmethod
    def from_line(cls, line: Mapping[str, str]) -> Self:
        """Make a row from what `to_line` returned; raises `ValueError` or `KeyError` otherwise."""
        types = get_type_hints(cls)
        return cls(**{name: _parse(line[name], types[name]) for name in COLUMNS})


#: The columns of a table of rows.
COLUMNS = tuple(item.name for item in fields(SynthesisRow))


def _format(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _parse(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if kind is int:
        return int(text)
    return float(text) if text else None
