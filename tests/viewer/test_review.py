"""Judging cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.viewer.conftest import Result, decode, serve_session

from stainbridge.errors import InputError
from stainbridge.viewer.review import Review, ReviewFile
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource


def test_reviews_are_kept_in_their_file(tmp_path: Path) -> None:
    reviews = ReviewFile(tmp_path)
    assert reviews.get("a") == Review()
    assert not list(tmp_path.iterdir())
    reviews.put("a", "accepted", "fine, ünlike")
    reviews.put("b", "rejected", "")
    again = ReviewFile(tmp_path)
    assert again.get("a").verdict == "accepted"
    assert again.get("a").note == "fine, ünlike"
    assert again.get("b").changed is not None
    assert [path.name for path in tmp_path.iterdir()] == ["review.json"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"reviews": [1]}', '{"reviews": {"a": {"verdict": "maybe"}}}']
)
def test_damaged_reviews_are_refused_and_stay(tmp_path: Path, text: str) -> None:
    path = tmp_path / "review.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"review\.json: the reviews are damaged"):
        ReviewFile(tmp_path)
    assert path.read_text() == text


def test_a_cohort_is_judged_case_by_case(own_result: Result) -> None:
    folder = own_result.folder.parent
    damaged = folder / "damaged"
    damaged.mkdir()
    damaged.joinpath("registration.json").write_text("{")
    sources = (ResultSource("good", (own_result.folder,)), ResultSource("bad", (damaged,)))
    with serve_session(Session("cohort", sources), reviews=ReviewFile(folder)) as client:
        good, bad = client.get("/api/session").json()["cases"]
        assert (good["status"], good["predicted_rtre"]) == ("ok", 0.001)
        assert bad["status"] == "failed"
        assert "damaged" in bad["reason"]
        reply = client.put("/api/cases/case-1/review", json={"verdict": "rejected", "note": "torn"})
        assert reply.json()["verdict"] == "rejected"
        entry = client.get("/api/session").json()["cases"][0]
        assert entry["review"]["note"] == "torn"
        picture = decode(client.get("/api/cases/case-1/thumbnail").content)
        assert max(picture.shape[:2]) == 320
        assert client.get("/api/cases/case-2/thumbnail").status_code == 400
        for body in ({"verdict": "maybe"}, {"note": "x" * 10_001}):
            assert client.put("/api/cases/case-1/review", json=body).status_code == 422
    kept = json.loads((folder / "review.json").read_text())["reviews"]
    assert list(kept) == ["good"]


def test_slides_have_nowhere_to_keep_a_review(session: Session) -> None:
    with serve_session(session) as client:
        assert client.get("/api/session").json()["can_review"] is False
        reply = client.put("/api/cases/case-1/review", json={"verdict": "accepted"})
        assert reply.status_code == 400
