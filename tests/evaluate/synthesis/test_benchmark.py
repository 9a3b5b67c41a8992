from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from tests.evaluate.synthesis.conftest import MEASURES, KnownCase, inverted

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Alignment
from stainbridge.evaluate.picture_grid import GAP_PX, NAMES_PX, WORDS_PX
from stainbridge.evaluate.synthesis import benchmark
from stainbridge.evaluate.synthesis.benchmark import PICTURES, SynthesisPlan, run_synthesis
from stainbridge.evaluate.synthesis.ledger import ROWS
from stainbridge.evaluate.synthesis.methods import SynthesisMethod, affine, identity, network
from stainbridge.evaluate.synthesis.overlays import CELL_PX
from stainbridge.evaluate.synthesis.row import SynthesisRow
from stainbridge.evaluate.synthesis.scene import REAL_PAIR, Translation
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.slides.case import Case
from stainbridge.slides.slide import Slide


def plan_of(
    known: KnownCase,
    *methods: SynthesisMethod,
    translations: tuple[Translation, ...] = (REAL_PAIR,),
    case: Case | None = None,
) -> SynthesisPlan:
    return SynthesisPlan(
        {"set": [case or known.case]},
        (identity(), *methods),
        translations,
        {("set", "one"): known.open_same_stain},
        MEASURES,
    )


def rows_by_name(rows: list[SynthesisRow]) -> dict[tuple[str, str], SynthesisRow]:
    return {(row.translation, row.method): row for row in rows}


def test_the_true_transform_scores_better_than_none_in_every_table(
    known_case: KnownCase, tmp_path: Path
) -> None:
    rows = rows_by_name(run_synthesis(plan_of(known_case, known_case.truth), tmp_path / "out"))
    before, after = rows["real", "identity"], rows["real", "truth"]
    assert after.status == "ok"
    assert after.landmarks == len(known_case.pair.fixed_landmarks.labels)
    assert after.rtre_p90 is not None
    assert after.rtre_p90 < 1e-3
    assert after.patches == before.patches > 0
    for name in ("patch_same_stain_ncc", "patch_same_stain_ssim", "patch_same_stain_nmi"):
        assert getattr(after, name) > getattr(before, name)
    for name in ("patch_ncc", "tissue_dice", "class_dice", "block_ncc", "block_same_stain_ssim"):
        assert getattr(after, name) > getattr(before, name)
    assert after.tissue_hausdorff_px is not None
    assert before.tissue_hausdorff_px is not None
    assert after.tissue_hausdorff_px < before.tissue_hausdorff_px
    assert after.folded == 0


def test_pictures_are_compared_as_seen_and_in_one_stain_as_they_are(
    known_case: KnownCase, tmp_path: Path
) -> None:
    plan = plan_of(known_case, known_case.truth, translations=(REAL_PAIR, inverted()))
    rows = rows_by_name(run_synthesis(plan, tmp_path / "out"))
    real, seen = rows["real", "truth"], rows["inverted", "truth"]
    assert (real.translated, seen.translated) == ("", "fixed")
    assert seen.translation_s is not None
    assert real.patch_ncc is not None
    assert seen.patch_ncc == pytest.approx(-real.patch_ncc, abs=1e-6)
    assert seen.block_ncc == pytest.approx(-(real.block_ncc or 0.0), abs=1e-6)
    for name in ("patch_same_stain_ncc", "block_same_stain_ssim", "class_dice", "rtre_mean"):
        assert getattr(seen, name) == pytest.approx(getattr(real, name))


def test_a_translated_moving_slide_is_measured_in_one_stain_as_it_is(
    known_case: KnownCase, tmp_path: Path
) -> None:
    plan = plan_of(known_case, known_case.truth, translations=(REAL_PAIR, inverted("Ki67")))
    rows = rows_by_name(run_synthesis(plan, tmp_path / "out"))
    real, seen = rows["real", "truth"], rows["inverted", "truth"]
    assert seen.translated == "moving"
    assert seen.patch_same_stain_ncc == pytest.approx(real.patch_same_stain_ncc)


def test_a_pair_without_the_source_stain_is_skipped(known_case: KnownCase, tmp_path: Path) -> None:
    rows = run_synthesis(plan_of(known_case, translations=(inverted("PAS"),)), tmp_path / "out")
    assert [row.status for row in rows] == ["skipped"]
    assert "neither slide says that it is PAS" in rows[0].reason


def test_a_slide_that_cannot_be_read_is_a_row(known_case: KnownCase, tmp_path: Path) -> None:
    def refuse() -> Slide:
        raise InputError("damaged", where="one.png")

    case = replace(known_case.case, open_moving=refuse)
    rows = run_synthesis(plan_of(known_case, case=case), tmp_path / "out")
    assert [(row.status, row.reason) for row in rows] == [("unreadable", "one.png: damaged")]


def test_a_method_that_raises_is_a_row_that_says_so(known_case: KnownCase, tmp_path: Path) -> None:
    def give_up(_fixed: Slide, _moving: Slide, _placement: Affine | None) -> Alignment:
        raise RuntimeError("out of ideas")

    plan = plan_of(known_case, SynthesisMethod("weak", give_up, begins_aligned=False))
    row = run_synthesis(plan, tmp_path / "out")[1]
    assert (row.status, row.reason) == ("failed", "RuntimeError: out of ideas")
    assert row.patch_ncc is None


def test_a_rerun_does_only_what_is_missing(known_case: KnownCase, tmp_path: Path) -> None:
    calls: list[str] = []

    def counted(name: str) -> SynthesisMethod:
        def align(_fixed: Slide, _moving: Slide, _placement: Affine | None) -> Alignment:
            calls.append(name)
            return Alignment(known_case.transform)

        return SynthesisMethod(name, align, begins_aligned=False)

    out = tmp_path / "out"
    first = run_synthesis(plan_of(known_case, counted("a")), out)
    again = run_synthesis(plan_of(known_case, counted("a"), counted("b")), out)
    assert calls == ["a", "b"]
    assert [row.method for row in again] == ["identity", "a", "b"]
    assert again[1].rtre_median == pytest.approx(first[1].rtre_median or 0.0, rel=1e-4)
    lines = (out / ROWS).read_text().splitlines()
    (out / ROWS).write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])  # torn while written
    third = run_synthesis(plan_of(known_case, counted("a"), counted("b")), out)
    assert third[:2] == again[:2]
    assert third[2].patch_ncc == again[2].patch_ncc
    assert calls == ["a", "b", "b"]


def test_settings_with_tuples_are_the_same_when_resumed(
    known_case: KnownCase, tmp_path: Path
) -> None:
    method = replace(known_case.truth, settings={"maps": ("affine", "bspline")})
    translation = replace(inverted(), settings={"stains": ("HE", "Ki67")})
    plan = plan_of(known_case, method, translations=(translation,))
    run_synthesis(plan, tmp_path / "out")
    before = (tmp_path / "out" / ROWS).read_bytes()
    run_synthesis(plan, tmp_path / "out")
    assert (tmp_path / "out" / ROWS).read_bytes() == before


def test_a_grid_shows_the_slides_as_seen_and_every_overlay(
    known_case: KnownCase, tmp_path: Path
) -> None:
    plan = plan_of(known_case, known_case.truth, translations=(REAL_PAIR, inverted()))
    run_synthesis(plan, tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "grid-set.png") as grid:
        pixels = np.asarray(grid)
    real, seen = (cut_cells(pixels, line, 4) for line in range(2))
    fixed, moving, before, after = real
    assert np.median(fixed) > 200 > 55 > np.median(seen[0])  # light tissue on glass, and inverted
    np.testing.assert_array_equal(moving, seen[1])
    both = pixels_of_both_tissues(after), pixels_of_both_tissues(before)
    assert both[0] > 1.2 * both[1]


def test_a_missing_picture_is_drawn_again(known_case: KnownCase, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = plan_of(known_case, known_case.truth, translations=(REAL_PAIR, inverted("PAS")))
    rows = run_synthesis(plan, out)
    kept = {path: path.read_bytes() for path in (out / PICTURES).iterdir()}
    lines = (out / ROWS).read_text().splitlines()
    with PIL.Image.open(out / "grid-set.png") as grid:
        assert grid.height < 2 * CELL_PX  # the skipped translation has no line
    overlay = next(path for path in kept if "truth" in path.name)
    overlay.unlink()
    again = run_synthesis(plan, out)
    assert [row.key for row in again] == [row.key for row in rows]
    assert {path: path.read_bytes() for path in (out / PICTURES).iterdir()} == kept
    assert len((out / ROWS).read_text().splitlines()) == len(lines) + 1  # only the truth ran again


def test_the_grid_keeps_methods_and_translations_of_earlier_runs(
    known_case: KnownCase, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_synthesis(plan_of(known_case, known_case.truth), out)
    run_synthesis(plan_of(known_case, translations=(inverted(),)), out)
    with PIL.Image.open(out / "grid-set.png") as grid:
        pixels = np.asarray(grid)
    *_, overlay = cut_cells(pixels, 0, 4)  # of the truth, which only the first run had
    assert (overlay != 255).any()
    *_, empty = cut_cells(pixels, 1, 4)
    assert (empty == 255).all()


def test_a_method_that_failed_has_an_empty_cell(known_case: KnownCase, tmp_path: Path) -> None:
    lost = SynthesisMethod("lost", lambda *_: Alignment(None, "failed", "no overlap"), False)
    plan = plan_of(known_case, lost)
    run_synthesis(plan, tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "grid-set.png") as grid:
        *_, before, empty = cut_cells(np.asarray(grid), 0, 4)
    assert (empty == 255).all()
    assert (before != 255).any()


def cut_cells(grid: npt.NDArray[np.uint8], line: int, columns: int) -> list[npt.NDArray[np.uint8]]:
    """Return the cells of a line of a grid, (CELL_PX, CELL_PX, 3) each."""
    top = WORDS_PX + GAP_PX + line * (CELL_PX + GAP_PX)
    row = grid[top : top + CELL_PX, NAMES_PX:]
    assert row.shape[1] == columns * (CELL_PX + GAP_PX)
    return [row[:, n * (CELL_PX + GAP_PX) :][:, :CELL_PX] for n in range(columns)]


def pixels_of_both_tissues(overlay: npt.NDArray[np.uint8]) -> int:
    """Return how many pixels are dark in every channel: fixed and moving tissue."""
    return int((overlay < 140).all(axis=-1).sum())


def test_other_settings_are_refused(known_case: KnownCase, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_synthesis(plan_of(known_case, translations=(inverted(),)), out)
    finer = replace(plan_of(known_case), measures=replace(MEASURES, patch_px=64))
    with pytest.raises(InputError, match=r"how it is measured has changed.*patch_px"):
        run_synthesis(finer, out)
    other = replace(inverted(), settings={"kind": "other"})
    with pytest.raises(InputError, match="translation 'inverted' has changed"):
        run_synthesis(plan_of(known_case, translations=(other,)), out)


def test_methods_begin_where_the_pre_alignment_ends(
    known_case: KnownCase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixed, moving = known_case.case.open_fixed().frame, known_case.case.open_moving().frame
    placement = Affine(np.diag([1.0, 1.0, 1.0]) + _shift(64.0), fixed.space, moving.space)
    monkeypatch.setattr(benchmark, "pre_align", lambda *_slides: Alignment(placement))

    def still(seen: Slide, _moving: Slide, start: Affine) -> DisplacementField:
        assert start is placement
        grid = seen.frame.fit(32)
        zero = np.zeros((2, grid.height, grid.width), np.float32)
        return DisplacementField(zero, grid, seen.frame.space, seen.frame.space)

    plan = plan_of(known_case, affine(), network("still", still, {"weights": "x"}))
    _, begun, stayed = run_synthesis(plan, tmp_path / "out")
    assert begun.status == stayed.status == "ok"
    assert stayed.rtre_mean == pytest.approx(begun.rtre_mean or 0.0, rel=1e-3)
    assert stayed.patch_ncc == pytest.approx(begun.patch_ncc or 0.0, rel=1e-3)


def test_without_a_pre_alignment_what_begins_there_has_failed(
    known_case: KnownCase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: Callable[..., Alignment] = lambda *_slides: Alignment(None, "failed", "no overlap")  # noqa: E731
    monkeypatch.setattr(benchmark, "pre_align", lost)
    row = run_synthesis(plan_of(known_case, affine()), tmp_path / "out")[1]
    assert (row.status, row.reason) == ("failed", "not pre-aligned: no overlap")


def _shift(um: float) -> np.ndarray:
    matrix = np.zeros((3, 3))
    matrix[0, 2] = um
    return matrix
