"""Which of two looks at the same slides stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.registration.finished import FIXED, MOVING
from tests.registration.states import must_read
from tests.registration.training.sections import section as draw_section

from stainbridge.registration.pieces.record import PieceRecord, PieceStatus
from stainbridge.registration.result import Registration
from stainbridge.registration.second_look import choose_look, confirm_seams, sees_more
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.judge import RegistrationStatus


def make_pieces(*statuses: PieceStatus) -> tuple[PieceRecord, ...]:
    return tuple(
        PieceRecord(f"fixed {n}", "fixed", f"moving {n}", status, "", 1 / len(statuses))
        for n, status in enumerate(statuses, 1)
    )


def make_result(
    status: RegistrationStatus, reason: str, pieces: tuple[PieceRecord, ...] = ()
) -> Registration:
    names = ("prepare", "search")
    return Registration(
        fixed=FIXED,
        moving=MOVING,
        status=status,
        reason=reason,
        stages=tuple(StageRecord(name, True, 1.0, 0.0, 0.1) for name in names),
        seconds=3.0 if reason == "first" else 8.0,
        predicted_rtre=0.001,
        bound_rtre=0.003,
        tissue_um=100.0,
        seed=0,
        config={},
        pieces=pieces,
    )


@pytest.mark.parametrize("status", ["fallback", "failed"])
def test_a_second_look_that_is_ok_stands(status: RegistrationStatus) -> None:
    chosen = choose_look(make_result(status, "first"), make_result("ok", "second"), 3.0, 5.0)
    assert (chosen.status, chosen.reason) == ("ok", "second; seen by local contrast")
    assert [stage.name for stage in chosen.stages] == ["prepare", "tissue density", "search"]
    left_out = chosen.stages[1]
    assert (left_out.accepted, left_out.note, left_out.seconds) == (False, "first", 3.0)


@pytest.mark.parametrize("status", ["fallback", "failed"])
def test_a_second_look_that_is_doubted_does_not(status: RegistrationStatus) -> None:
    first = make_result("failed", "first")
    chosen = choose_look(first, make_result(status, "second"), 3.0, 5.0)
    assert (chosen.status, chosen.reason, chosen.seconds) == ("failed", "first", 8.0)
    assert [stage.name for stage in chosen.stages] == ["prepare", "search", "local contrast"]
    assert (chosen.stages[-1].note, chosen.stages[-1].seconds) == ("second", 5.0)


@pytest.mark.parametrize(
    ("before", "after", "stands"),
    [
        (("ok",) * 10 + ("alone",) * 2, (), False),
        (("ok",) * 10 + ("alone",) * 2, ("ok",) * 12, True),
        (("ok",) * 2 + ("failed",), (), True),
        (("ok",) * 3 + ("failed",) * 4, (), True),
    ],
)
def test_pieces_that_mostly_fit_are_not_given_up(
    before: tuple[PieceStatus, ...], after: tuple[PieceStatus, ...], stands: bool
) -> None:
    first = make_result("fallback", "first", make_pieces(*before))
    second = make_result("ok", "second", make_pieces(*after))
    assert (choose_look(first, second, 3.0, 5.0).status == "ok") == stands


def test_only_a_look_that_shows_much_more_tissue_sees_more() -> None:
    section = must_read(draw_section())
    half = replace(section, region=section.region.copy())
    half.region[: section.region.shape[0] // 2] = False
    assert sees_more(section, half)
    assert not sees_more(half, section)
    assert not sees_more(section, section)
    assert not sees_more(None, section)
    assert not sees_more(section, None)


def test_a_seam_needs_both_looks() -> None:
    plain = must_read(draw_section())
    cut = replace(plain, known_seam=7.0)
    for local, dense in ((cut, plain), (plain, cut)):
        fixed, moving = confirm_seams((local, None), (dense, plain))
        assert moving is None
        assert fixed is not None
        assert fixed.seam == plain.seam
    both, _ = confirm_seams((cut, None), (cut, None))
    assert both is not None
    assert both.seam == 7.0
