"""Both tables of CycGANRegNet and rTRE, from rows: for people, and for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from stainbridge.evaluate.synthesis.row import IDENTITY, UNSEEN, SynthesisRow

#: The measures of each table, in its order: field and heading.
PATCHES = MappingProxyType(
    {
        "patch_ncc": "NCC",
        "patch_ssim": "SSIM",
        "patch_nmi": "NMI",
        "patch_same_stain_ncc": "NCC, same stain",
        "patch_same_stain_ssim": "SSIM, same stain",
        "patch_same_stain_nmi": "NMI, same stain",
    }
)
BLOCKS = MappingProxyType(
    {
        "class_dice": "Dice, classes",
        "tissue_dice": "Dice, tissue",
        "tissue_hausdorff_px": "Hausdorff px",
        "block_ssim": "SSIM",
        "block_ncc": "NCC",
        "block_same_stain_ssim": "SSIM, same stain",
        "block_same_stain_ncc": "NCC, same stain",
    }
)
LANDMARKS = MappingProxyType(
    {
        "rtre_median": "rTRE median",
        "rtre_mean": "rTRE mean",
        "rtre_p90": "rTRE p90",
    }
)
TABLES = MappingProxyType({"patches": PATCHES, "blocks": BLOCKS, "landmarks": LANDMARKS})
#: Decimals of a measure where they are not four.
DECIMALS = MappingProxyType({"tissue_hausdorff_px": 1, "seconds": 1, "translation_s": 1})


@dataclass(frozen=True)
class SynthesisSummary:
    """One method on one data set through one translation: means over its cases."""

    data_set: str
    """The name of the data set."""
    method: str
    """The name of the method."""
    translation: str
    """`real`, or the name of the translation."""
    cases: int
    """How many cases are counted; pairs without a slide of the source stain are not."""
    failed: int
    """How many of them gave no transform; they count as unregistered."""
    means: dict[str, float]
    """Means by field of `SynthesisRow`, of what is known."""
    seconds: float | None
    """Median wall time of the registrations."""


def summarise_rows(rows: Sequence[SynthesisRow]) -> list[SynthesisSummary]:
    """Return a summary for each data set, method and translation, in the order of the rows.

    A run without a transform counts as unregistered, as in ANHIR: it takes the scores of
    `identity` on the same case through the same translation.
    """
    unregistered = {row.key[:3]: row for row in rows if row.method == IDENTITY}
    grouped: dict[tuple[str, str, str], list[SynthesisRow]] = {}
    for row in rows:
        grouped.setdefault((row.data_set, row.method, row.translation), []).append(row)
    return [_summarise(key, group, unregistered) for key, group in grouped.items()]


def _summarise(
    key: tuple[str, str, str],
    rows: Sequence[SynthesisRow],
    unregistered: dict[tuple[str, str, str], SynthesisRow],
) -> SynthesisSummary:
    counted = [row for row in rows if row.status not in UNSEEN]
    scored = [row if row.has_transform else unregistered.get(row.key[:3], row) for row in counted]
    names = [name for table in TABLES.values() for name in table]
    seconds = [row.seconds for row in counted if row.seconds is not None]
    return SynthesisSummary(
        *key,
        cases=len(counted),
        failed=sum(not row.has_transform for row in counted),
        means={name: mean for name in names if (mean := _mean(scored, name)) is not None},
        seconds=float(np.median(seconds)) if seconds else None,
    )


def _mean(rows: Sequence[SynthesisRow], name: str) -> float | None:
    values = [value for row in rows if (value := getattr(row, name)) is not None]
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def tabulate(
    summaries: Sequence[SynthesisSummary], measures: Iterable[str]
) -> tuple[list[str], list[list[str]]]:
    """Return the measures that are known, and a line of text for each summary.

    A line holds the method, the translation, the cases, the failures, and the measures.
    """
    known = [name for name in measures if any(name in item.means for item in summaries)]
    lines = [
        [
            item.method,
            item.translation,
            str(item.cases),
            str(item.failed or ""),
            *(_format(name, item.means.get(name)) for name in known),
        ]
        for item in summaries
    ]
    return known, lines


def render_markdown(
    summaries: Sequence[SynthesisSummary], describe: Callable[[str], str] = str
) -> str:
    """Return the tables of every data set as Markdown; `describe` turns its name into a heading."""
    parts: list[str] = []
    for data_set in dict.fromkeys(item.data_set for item in summaries):
        own = [item for item in summaries if item.data_set == data_set and item.cases]
        parts.append(f"### {describe(data_set)}\n")
        for title, measures in TABLES.items():
            known, lines = tabulate(own, measures)
            if not known:
                continue
            heads = ["method", "data", "cases", "failed", *(measures[name] for name in known)]
            parts.append(f"{title.capitalize()}:\n")
            parts.append("\n".join(_markdown_rows(heads, lines)) + "\n")
    return "\n".join(parts)


def _markdown_rows(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---"] * 2 + ["---:"] * (len(heads) - 2)
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines)]


def _format(name: str, value: float | None) -> str:
    return "" if value is None else f"{value:.{DECIMALS.get(name, 4)}f}"
