"""Landmarks placed by hand, and registering from them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.viewer.conftest import Result, serve_session

from stainbridge.errors import InputError
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.jobs.files.outputs import RESULT_FILES
from stainbridge.progress import Progress
from stainbridge.registration.store import load
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource, SlidesSource
from stainbridge.viewer.trial import StoppedError, TrialRequest

LAYER = "/api/cases/case-1/layers/moving"
TRIAL = "/api/cases/case-1/trial"


@pytest.fixture
def own_session(own_result: Result) -> Session:
    return Session("result", (ResultSource("result", (own_result.folder,)),))


def place(client: httpx.Client, result: Result, shift_px: float = 0.0) -> dict:
    """Three pairs; the first moving point is `shift_px` off on the fixed slide."""
    fixed = np.array([[200.0, 250.0], [420.0, 300.0], [300.0, 450.0]])
    seen = fixed + [[shift_px, 0], [0, 0], [0, 0]]
    moving = result.registration.warp_points(seen, to="moving")
    pairs = [
        {"fixed": first, "moving": second}
        for first, second in zip(fixed.tolist(), moving.tolist(), strict=True)
    ]
    reply = client.put(f"{LAYER}/landmarks", json={"pairs": pairs})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_each_pair_gets_its_error_on_the_fixed_slide(
    own_session: Session, own_result: Result
) -> None:
    with serve_session(own_session) as client:
        assert client.get(f"{LAYER}/landmarks").json()["pairs"] == []
        reply = place(client, own_result, shift_px=50)
        errors = [pair["error_um"] for pair in reply["pairs"]]
        mpp = own_result.registration.fixed.mpp[0]
        np.testing.assert_allclose(errors, [50 * mpp, 0, 0], atol=0.05)
        np.testing.assert_allclose(reply["pairs"][0]["on_fixed"], [250, 250], atol=0.01)
        assert reply["median_um"] == pytest.approx(0, abs=0.05)
        assert client.get(f"{LAYER}/landmarks").json() == reply
    assert sorted(path.name for path in own_result.folder.iterdir()) == [
        "registration.json", "transform.h5",
    ]  # fmt: skip


def test_pairs_are_saved_as_csv_and_geojson_and_found_again(
    own_session: Session, own_result: Result
) -> None:
    with serve_session(own_session) as client:
        placed = place(client, own_result)
        files = client.post(f"{LAYER}/landmarks/save").json()["files"]
        download = client.get(f"{LAYER}/landmarks/moving.csv").text
    folder = own_result.folder / "landmarks"
    assert {own_result.folder / name for name in files} == set(folder.iterdir())
    assert (folder / "moving.csv").read_text() == download
    points, labels = read_points_csv(folder / "fixed.csv")
    np.testing.assert_allclose(points, [pair["fixed"] for pair in placed["pairs"]], atol=1e-4)
    assert labels == ("1", "2", "3")
    drawn = json.loads((folder / "moving.geojson").read_text())
    assert drawn["features"][1]["properties"]["name"] == "2"
    again = Session("result", (ResultSource("result", (own_result.folder,)),))
    with serve_session(again) as client:
        found = client.get(f"{LAYER}/landmarks").json()["pairs"]
    for one, other in zip(found, placed["pairs"], strict=True):
        np.testing.assert_allclose(one["moving"], other["moving"], atol=1e-4)


def test_the_fixed_slide_has_no_landmarks_of_its_own(own_session: Session) -> None:
    with serve_session(own_session) as client:
        path = "/api/cases/case-1/layers/fixed/landmarks"
        assert client.put(path, json={"pairs": []}).status_code == 400
        assert client.get(path).status_code == 400


def wait_for(client: httpx.Client, *states: str) -> dict:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = client.get(TRIAL).json()
        if reply["state"] in states:
            return reply
        time.sleep(0.02)
    raise AssertionError(f"still {reply}")


def serve_with(
    session: Session, run: Callable[[TrialRequest, Progress, Callable[[], bool]], None]
) -> Iterator[httpx.Client]:
    return serve_session(session, run_trial=run, result_files=RESULT_FILES)


def shifted_run(result: Result) -> Callable[..., None]:
    """A registration whose result is the old one, turned over by hand."""

    def run(request: TrialRequest, progress: Progress, is_stopped: Callable[[], bool]) -> None:
        assert read_points_csv(request.fixed_landmarks)[0].shape == (3, 2)
        assert (request.fixed, request.moving) == (result.fixed, result.moving)
        assert (request.fixed_mpp, request.moving_mpp) == (None, None)
        progress("affine", 0.5)
        old = load(result.folder)
        replace(old, predicted_rtre=0.002).save(request.out, result.fixed, result.moving)

    return run


def test_a_new_result_is_compared_and_kept(own_session: Session, own_result: Result) -> None:
    own_result.folder.joinpath("report.html").write_text("old")
    before = own_result.folder.joinpath("registration.json").read_text()
    with serve_with(own_session, shifted_run(own_result)) as client:
        place(client, own_result, shift_px=5)
        version = client.get("/api/cases/case-1").json()["version"]
        assert client.post(f"{LAYER}/trial", json={"preset": "fast"}).status_code == 200
        assert wait_for(client, "done")["version"] > version
        layers = client.get("/api/cases/case-1").json()["layers"]
        assert [layer["id"] for layer in layers] == ["fixed", "moving", "candidate"]
        pairs = client.get(f"{LAYER}/landmarks").json()["pairs"]
        assert pairs[0]["candidate_um"] == pytest.approx(pairs[0]["error_um"])
        assert own_result.folder.joinpath("registration.json").read_text() == before
        assert client.post(f"{LAYER}/trial/keep").json()["state"] == "none"
        assert len(client.get("/api/cases/case-1").json()["layers"]) == 2
    assert load(own_result.folder).predicted_rtre == 0.002
    former = own_result.folder / "replaced" / "1"
    assert (former / "registration.json").read_text() == before
    assert (former / "report.html").read_text() == "old"
    assert not own_result.folder.joinpath("report.html").exists()


def test_a_new_result_is_dropped(own_session: Session, own_result: Result) -> None:
    with serve_with(own_session, shifted_run(own_result)) as client:
        place(client, own_result)
        client.post(f"{LAYER}/trial", json={})
        wait_for(client, "done")
        assert client.delete(TRIAL).json()["state"] == "none"
        assert len(client.get("/api/cases/case-1").json()["layers"]) == 2
        assert client.post(f"{LAYER}/trial/keep").status_code == 400
    assert load(own_result.folder).predicted_rtre == 0.001


def test_a_registration_is_stopped_and_a_failed_one_says_why(
    own_session: Session, own_result: Result
) -> None:
    folders: list[Path] = []

    def run(request: TrialRequest, progress: Progress, is_stopped: Callable[[], bool]) -> None:
        folders.append(request.out.parent)
        if request.preset == "fast":
            raise InputError("no tissue found")
        while not is_stopped():
            time.sleep(0.01)
        raise StoppedError

    with serve_with(own_session, run) as client:
        place(client, own_result)
        client.post(f"{LAYER}/trial", json={"preset": "fast"})
        assert wait_for(client, "failed")["reason"] == "no tissue found"
        client.post(f"{LAYER}/trial", json={"preset": "accurate"})
        assert client.post(f"{LAYER}/trial", json={}).status_code == 400
        assert client.delete(TRIAL).json()["state"] == "none"
        client.post(f"{LAYER}/trial", json={})
    assert len(folders) == 3
    assert not any(folder.exists() for folder in folders)


def test_too_few_pairs_are_refused(own_session: Session, own_result: Result) -> None:
    with serve_with(own_session, shifted_run(own_result)) as client:
        reply = client.post(f"{LAYER}/trial", json={})
        assert reply.status_code == 400
        assert "2 pairs or more" in reply.json()["error"]
        assert client.post(f"{LAYER}/trial", json={"preset": "slow"}).status_code == 422
    with serve_session(Session("r", (ResultSource("r", (own_result.folder,)),))) as client:
        place(client, own_result)
        assert "not offered" in client.post(f"{LAYER}/trial", json={}).json()["error"]


def test_slides_without_a_result_have_nowhere_to_save_landmarks(own_result: Result) -> None:
    session = Session("slides", (SlidesSource("s", (own_result.fixed, own_result.moving)),))
    with serve_session(session) as client:
        reply = client.put(
            f"{LAYER}/landmarks", json={"pairs": [{"fixed": [1, 2], "moving": [1, 2]}]}
        )
        assert reply.json()["can_save"] is False
        assert "download" in client.post(f"{LAYER}/landmarks/save").json()["error"]
        assert client.get(f"{LAYER}/landmarks/fixed.csv").text == ",X,Y\n1,1.0000,2.0000\n"
