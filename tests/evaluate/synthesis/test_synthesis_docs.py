"""The tables of docs/results/synthesis.md are made from the rows beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.synthesis import render_effect

from stainbridge.evaluate.synthesis.ledger import SETUP, read_rows, read_setup
from stainbridge.evaluate.synthesis.row import IDENTITY, SynthesisRow

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "results" / "synthesis.md"
ROWS = ROOT / "docs" / "results" / "synthesis"
#: The translations of CycGANRegNet's table.
SYNTHETIC = ("syn-1", "syn-2")


def test_the_page_is_what_the_rows_make(tmp_path: Path) -> None:
    before = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "synthesis.md"
    page.write_text(before, encoding="utf-8")
    script = [sys.executable, str(ROOT / "benchmarks" / "synthesis.py"), str(ROWS)]
    subprocess.run([*script, "--page", str(page)], check=True, capture_output=True)
    assert page.read_text(encoding="utf-8") == before


def test_kept_rows_are_of_the_setup_and_have_a_row_before() -> None:
    setup = read_setup(ROWS / SETUP)
    rows = read_rows(ROWS)
    assert {row.method for row in rows} <= set(setup.methods)
    assert {row.translation for row in rows} <= set(setup.translations)
    before = {row.key[:3] for row in rows if row.method == IDENTITY}
    assert {row.key[:3] for row in rows} == before


def test_every_kept_case_has_all_methods_with_all_translations() -> None:
    rows = read_rows(ROWS)
    assert {"real", *SYNTHETIC} <= {row.translation for row in rows}
    cases = {(row.data_set, row.case) for row in rows}
    assert {name for name, _ in cases} == {"rat_kidney", "lung_lesion_3", "generated"}
    assert len({row.key for row in rows}) == len(rows)
    for translation in {row.translation for row in rows}:
        own = [row for row in rows if row.translation == translation]
        methods = {row.method for row in own}
        assert {IDENTITY, "affine", "multiscale-fcn", "unet-svf", "default"} <= methods
        assert {row.key for row in own} == {
            (*case, translation, method) for case in cases for method in methods
        }


def test_kept_translations_are_the_published_ones() -> None:
    translations = read_setup(ROWS / SETUP).translations
    assert translations["syn-1"]["objective"] == "cyclegan"
    assert translations["syn-2"]["objective"] == "cyclegan-perceptual"
    stains = {(translations[name]["source"], translations[name]["target"]) for name in SYNTHETIC}
    assert stains == {("HE", "PanCK")}


def test_the_effect_is_shown_on_pairs_that_every_translation_shows() -> None:
    def row(case: str, translation: str, status: str, error: float | None) -> SynthesisRow:
        return SynthesisRow("set", case, translation, IDENTITY, status, rtre_median=error)

    rows = [
        row("a", "real", "ok", 0.01),
        row("a", "syn", "ok", 0.02),
        row("b", "real", "ok", 0.5),
        row("b", "syn", "skipped", None),
    ]
    text = render_effect(rows)
    assert "| data | method | pairs | `real` | `syn` |" in text
    assert "| `set` | identity | 1 | 0.0100 | 0.0200 |" in text
    assert "NCC" not in text


def test_a_method_that_did_not_run_has_a_dash() -> None:
    def row(translation: str, method: str) -> SynthesisRow:
        return SynthesisRow("set", "a", translation, method, "ok", rtre_median=0.01)

    rows = [row("real", IDENTITY), row("syn", IDENTITY), row("real", "fcn"), row("syn", "other")]
    text = render_effect(rows)
    assert "| `set` | fcn | 1 | 0.0100 | – |" in text
    assert "other" not in text
