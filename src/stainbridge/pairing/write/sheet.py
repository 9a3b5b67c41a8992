"""Write the contact sheet of a set: one HTML file with the doubtful patches first."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jinja2

from stainbridge.pairing.config import (
    THRESHOLD_ORDER,
    PairingConfig,
    Thresholds,
    read_measure,
)
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.ranking import select_best_dropped, select_worst_kept
from stainbridge.pairing.write.summary import SetSummary, SkippedPair
from stainbridge.pairing.write.words import (
    MEASURES,
    describe_condition,
    describe_measure,
    describe_residual,
    describe_resolution,
    format_number,
)
from stainbridge.whole import whole_file

#: The page's file name.
SHEET = "contact-sheet.html"
#: What a card tells beside the residual.
OTHER_MEASURES = tuple(name for name in THRESHOLD_ORDER if name != "max_residual_px")


@dataclass(frozen=True)
class PatchCard:
    """A patch on the page."""

    patch: Patch
    """The patch."""
    picture: str
    """Its thumbnail as a data address; empty where there is none."""
    residual: str
    """Its residual in words."""
    scores: tuple[str, ...]
    """What the other thresholds see in it, in words."""
    reason: str
    """What it was dropped for, in words; empty where kept."""
    ranks: str
    """What each threshold sees in it as numbers, in their order, -1 where nothing tells."""


def write_sheet(
    path: Path,
    summary: SetSummary,
    patches: Sequence[Patch],
    config: PairingConfig,
    skipped: Sequence[SkippedPair],
    thumbs: Mapping[str, Path],
) -> None:
    """Write the page to `path`, whole or not at all.

    It needs no other file. `thumbs` are the thumbnails' files by the patch's name.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    package = files("stainbridge.pairing.write")
    source = package.joinpath("sheet.html").read_text(encoding="utf-8")
    worst = select_worst_kept(patches)
    best = select_best_dropped(patches, config.thresholds)
    content = {
        "summary": summary,
        "resolution": describe_resolution(patches, config),
        "quantiles": [
            (f"{100 * item.share:g} %", format_number(item.px), format_number(item.um))
            for item in summary.residuals
        ],
        "conditions": {
            name: describe_condition(name, config.thresholds) for name in THRESHOLD_ORDER
        },
        "measures": MEASURES,
        "kept": [make_card(patch, thumbs, config.thresholds) for patch in worst],
        "dropped": [make_card(patch, thumbs, config.thresholds) for patch in best],
        "skipped": skipped,
        "format_number": format_number,
        "version": version("stainbridge"),
    }
    with whole_file(path) as temporary:
        temporary.write_text(environment.from_string(source).render(content), encoding="utf-8")


def make_card(patch: Patch, thumbs: Mapping[str, Path], thresholds: Thresholds) -> PatchCard:
    """Return what the page shows of a patch."""
    measures = (read_measure(name, patch.scores) for name in THRESHOLD_ORDER)
    reason = describe_condition(patch.dropped_for, thresholds) if patch.dropped_for else ""
    return PatchCard(
        patch=patch,
        picture=_encode(thumbs.get(patch.name)),
        residual=describe_residual(patch),
        scores=tuple(describe_measure(patch, name) for name in OTHER_MEASURES),
        reason=reason,
        ranks=" ".join("-1" if math.isnan(value) else f"{value:.6g}" for value in measures),
    )


def _encode(path: Path | None) -> str:
    if path is None or not path.is_file():
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
