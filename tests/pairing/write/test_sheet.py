from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.pairing.write.patches import CONFIG, make_patches, write_pictures

from stainbridge.pairing.config import THRESHOLD_ORDER, read_measure
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.assemble import name_thumb
from stainbridge.pairing.write.sheet import write_sheet
from stainbridge.pairing.write.summary import SkippedPair, summarise

SKIPPED = (SkippedPair("e", "no <tissue>"),)


class Outline(HTMLParser):
    """Names of the patches on a page, in order, and all addresses it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.reasons: list[str] = []
        self.ranks: list[list[float]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [values[name] or "" for name in ("src", "href") if name in values]
        self.addresses += re.findall(r"url\((.{0,24})", values.get("style") or "")
        if "data-ranks" in values:
            self.reasons.append(values["data-reason"] or "")
            self.ranks.append([float(rank) for rank in (values["data-ranks"] or "").split()])


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    patches = make_patches(per_pair=4)
    return [replace(patches[0], name="a&<b>"), *patches[1:]]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, patches: list[Patch]) -> str:
    """The page of a set, whose last patch has no thumbnail."""
    out = tmp_path_factory.mktemp("set")
    write_pictures(out, patches)
    thumbs = {patch.name: name_thumb(out, patch) for patch in patches[:-1]}
    summary = summarise(patches, CONFIG.thresholds)
    write_sheet(out / "sheet.html", summary, patches, CONFIG, SKIPPED, thumbs)
    return (out / "sheet.html").read_text(encoding="utf-8")


def test_the_page_needs_no_other_file(page: str) -> None:
    outline = Outline()
    outline.feed(page)
    assert len(outline.addresses) == page.count("data:image/jpeg;base64,") > 10
    assert all(address.startswith("data:image/jpeg") for address in outline.addresses)


def test_the_worst_kept_and_the_best_dropped_come_first(page: str, patches: list[Patch]) -> None:
    names = [html.unescape(name) for name in re.findall(r"<strong>(.*?)</strong>", page)]
    kept = [patch for patch in patches if patch.is_kept]
    worst = sorted(kept, key=lambda patch: -patch.scores.residual_px)
    assert names[: len(kept)] == [patch.name for patch in worst]
    assert set(names[len(kept) :]) == {patch.name for patch in patches if not patch.is_kept}
    outline = Outline()
    outline.feed(page)
    assert outline.reasons[: len(kept)] == [""] * len(kept)
    assert "" not in outline.reasons[len(kept) :]


def test_cards_carry_what_they_are_ordered_by(page: str, patches: list[Patch]) -> None:
    outline = Outline()
    outline.feed(page)
    worst = max(
        (patch for patch in patches if patch.is_kept), key=lambda patch: patch.scores.residual_px
    )
    measures = [read_measure(name, worst.scores) for name in THRESHOLD_ORDER]
    assert outline.ranks[0] == pytest.approx(measures, rel=1e-5)
    options = re.findall(r'<option value="(\d)"( data-up)?>(\w+)<', page)
    assert options == [
        ("4", "", "residual"),
        ("3", "", "blur"),
        ("2", "", "folds"),
        ("1", "", "pen"),
        ("0", " data-up", "tissue"),
    ]


def test_the_page_shows_scores_reasons_and_what_is_missing(page: str) -> None:
    assert "asked: pen ink at most 2 %" in page
    assert "residual unknown" in page
    assert page.count("no picture") == 1
    assert "no &lt;tissue&gt;" in page
    assert "<b>" not in page


def test_a_set_that_drops_nothing_says_so(tmp_path: Path, patches: list[Patch]) -> None:
    kept = [patch for patch in patches if patch.is_kept]
    path = tmp_path / "sheet.html"
    write_sheet(path, summarise(kept, CONFIG.thresholds), kept, CONFIG, (), {})
    assert "No patch was dropped." in path.read_text(encoding="utf-8")
