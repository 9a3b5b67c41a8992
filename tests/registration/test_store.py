"""A registration on disk comes back as it was; what is damaged is refused in one line."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tests.registration.finished import FIXED, MOVING, make_solution

from stainbridge.errors import InputError, RegistrationError
from stainbridge.registration.digest import DIGEST, digest_record
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.store import load, load_stored
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide


def make_registration(**changes: Any) -> Registration:
    stages = (
        StageRecord("coarse", True, 0.4, 0.1, 0.5, config={"angles": 72, "limit": math.inf}),
        StageRecord("deformable", False, 1.5, 0.5, math.nan, "diverged"),
    )
    complete = Registration(
        fixed=FIXED,
        moving=MOVING,
        status="ok",
        reason="",
        stages=stages,
        seconds=2.25,
        predicted_rtre=0.0031,
        seed=7,
        config={
            "preset": "fast",
            "levels": (4, 2),
            "masks": Path("m.png"),
            "weight": np.float32(0.5),
        },
        solution=make_solution(),
    )
    return replace(complete, **changes)


def make_failed(reason: str = "the slides show nothing in common") -> Registration:
    return make_registration(status="failed", reason=reason, predicted_rtre=math.nan, solution=None)


def test_a_registration_comes_back(tmp_path: Path) -> None:
    before = make_registration()
    before.save(tmp_path / "new" / "result", "slides/he.svs", Path("slides/ki67.svs"))
    stored = load_stored(tmp_path / "new" / "result")
    after = stored.registration
    assert (after.status, after.seed) == ("ok", 7)
    for loaded, saved in ((after.fixed, FIXED), (after.moving, MOVING)):
        assert replace(loaded, space=saved.space) == saved
        assert (loaded.label, loaded.calibrated) == (saved.label, saved.calibrated)
    assert (after.seconds, after.predicted_rtre) == (2.25, 0.0031)
    assert [stage.name for stage in after.stages] == ["coarse", "deformable"]
    assert replace(after.stages[0], config={}) == replace(before.stages[0], config={})
    assert after.stages[1].note == "diverged"
    assert math.isnan(after.stages[1].score_after)
    points = np.random.default_rng(1).uniform(0, 150, (50, 2))
    assert np.abs(after.transform(points) - before.transform(points)).max() < 1e-6
    assert stored.fixed_path == Path("slides/he.svs").absolute()
    assert stored.moving_path == Path("slides/ki67.svs").absolute()


def test_the_evidence_comes_back(tmp_path: Path) -> None:
    evidence = Evidence(
        0.97, 12.0, 0.33, 0.65, 0.08, 0.39, 0.44, 0.93, 0.21, 0.2, 0.007, 0.001, 0.1, 0.4, 2.5
    )
    make_registration(bound_rtre=0.0078, evidence=evidence).save(tmp_path)
    after = load_stored(tmp_path).registration
    assert (after.bound_rtre, after.evidence) == (0.0078, evidence)
    one_way = replace(evidence, disagreement=math.nan)
    make_registration(evidence=one_way).save(tmp_path)
    after = load_stored(tmp_path).registration
    assert after.evidence is not None
    assert math.isnan(after.evidence.disagreement)


def test_the_record_has_what_scripts_read(tmp_path: Path) -> None:
    make_registration().save(tmp_path, extra={"landmark_error_um": 3.5})
    record = json.loads((tmp_path / "registration.json").read_text())
    assert record["status"] == "ok"
    assert [(s["name"], s["seconds"], s["score"]) for s in record["stages"]] == [
        ("coarse", 0.4, 0.5),
        ("deformable", 1.5, None),
    ]
    entry = record["fixed"]
    assert (entry["width"], entry["height"], entry["mpp"], entry["calibrated"]) == (
        400,
        300,
        [0.5, 0.5],
        True,
    )
    assert entry["path"] is None
    assert entry["itk_spacing"] == [0.0005, 0.0005]
    assert record["moving"]["itk_spacing"] == [1, 1]
    assert record["flip"] is True
    assert abs(record["rotation_deg"]) == pytest.approx(90)
    assert record["scale"] == pytest.approx(2)
    assert record["config"] == {"preset": "fast", "levels": [4, 2], "masks": "m.png", "weight": 0.5}
    assert record["stages"][0]["config"] == {"angles": 72, "limit": None}
    assert record["landmark_error_um"] == 3.5
    assert record["version"]
    assert record["predicted_um"] == pytest.approx(0.0031 * 250)


def test_slides_themselves_say_where_they_are(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (400, 300)).save(tmp_path / "he.png")
    in_memory = ArraySlide(np.zeros((3, 300, 400), np.uint8))
    with open_slide(tmp_path / "he.png") as fixed:
        make_registration().save(tmp_path / "result", fixed, in_memory)
    stored = load_stored(tmp_path / "result")
    assert (stored.fixed_path, stored.moving_path) == (tmp_path / "he.png", None)


def test_a_failed_registration_loads_as_failed_and_leaves_no_transform(tmp_path: Path) -> None:
    make_registration().save(tmp_path)
    assert (tmp_path / "transform.h5").exists()
    make_failed().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["registration.json"]
    record = json.loads((tmp_path / "registration.json").read_text())
    assert (record["predicted_rtre"], record["flip"], record["transform"]) == (None, None, None)
    loaded = load(tmp_path)
    assert (loaded.status, loaded.reason) == ("failed", "the slides show nothing in common")
    with pytest.raises(RegistrationError, match="nothing in common"):
        _ = loaded.transform


def test_a_record_that_cannot_be_written_leaves_no_old_one_beside_the_new_transform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_registration().save(tmp_path)
    full = OSError(28, "No space left on device")

    def refuse(*_: Any, **__: Any) -> None:
        raise full

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(InputError, match="No space left"):
        make_registration().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["transform.h5"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write there"):
        make_registration().save(tmp_path / "file" / "result")


def write_damaged(folder: Path, **changes: Any) -> Path:
    """Write a result whose record has other entries; "remove" leaves one out."""
    make_registration().save(folder)
    path = folder / "registration.json"
    record = json.loads(path.read_text()) | changes
    record = {key: value for key, value in record.items() if value != "remove"}
    path.write_text(json.dumps({**record, DIGEST: digest_record(record)}))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": "remove"}, "not complete.*'stages'"),
        ({"status": "splendid"}, "damaged.*splendid"),
        ({"seconds": "long"}, "damaged"),
        ({"stages": [3]}, "damaged"),
        (
            {"fixed": {"path": None, "width": 4, "height": 3, "calibrated": True}},
            "not complete.*'mpp'",
        ),
        (
            {"fixed": {"path": None, "width": 0, "height": 3, "mpp": [1, 1], "calibrated": True}},
            "at least one pixel",
        ),
        ({"moving": []}, "damaged"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(write_damaged(tmp_path, **changes))


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match=r"no registration\.json"):
        load(tmp_path)
    make_registration().save(tmp_path)
    (tmp_path / "transform.h5").write_bytes(b"cut")
    with pytest.raises(InputError, match=r"transform\.h5"):
        load(tmp_path)
    (tmp_path / "transform.h5").unlink()
    with pytest.raises(InputError, match=r"transform\.h5.*no such"):
        load(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "registration.json").write_text(content)
        with pytest.raises(InputError, match="damaged"):
            load(tmp_path)


#: A result that version 0.1.0 wrote.
STORED_BY_0_1_0 = Path(__file__).parent / "stored" / "0.1.0"


def test_a_result_of_version_0_1_0_loads() -> None:
    stored = load_stored(STORED_BY_0_1_0)
    registration = stored.registration
    assert stored.record["version"] == "0.1.0"
    assert (registration.status, registration.seed) == ("ok", 7)
    assert (registration.predicted_rtre, registration.bound_rtre) == (0.0031, 0.0078)
    assert registration.evidence is not None
    assert registration.evidence.share == 0.93
    assert math.isnan(registration.evidence.disagreement)
    assert [(stage.name, stage.accepted) for stage in registration.stages] == [
        ("prepare", True),
        ("search", True),
        ("affine-net", False),
        ("affine", True),
        ("deformable", True),
    ]
    assert registration.stages[3].config["keep"] == [4, 4, 1, 1]  # as it was called then
    assert registration.config["search"]["angles"] == 36
    assert registration.config["deformable"]["symmetric"] is False
    assert registration.config["search_again"]["hypotheses"] == 12
    assert "stages" not in registration.config
    assert stored.fixed_path == registration.fixed_source == Path("/slides/he.svs")
    assert stored.moving_path == registration.moving_source == Path("/slides/ki67.svs")
    assert repr(registration) == (
        "<Registration 'ki67.svs' to 'he.svs': ok, expected error 0.31% of the diagonal (0.8 µm)>"
    )


def test_the_transform_of_version_0_1_0_is_what_it_was() -> None:
    registration = load(STORED_BY_0_1_0)
    points = [[20.0, 30.0], [350.0, 40.0], [200.0, 280.0]]
    expected = [[328.0, 359.90411489], [321.92644918, 29.71234467], [80.34540965, 178.80305576]]
    np.testing.assert_allclose(registration.warp_points(points, to="moving"), expected, atol=1e-4)
    np.testing.assert_allclose(registration.warp_points(expected), points, atol=1e-3)
    assert (registration.fixed.width, registration.fixed.height) == (400, 300)
    assert registration.fixed.mpp == registration.moving.mpp == (0.5, 0.5)


def test_using_a_result_loads_no_torch() -> None:
    code = (
        f"import sys, stainbridge; result = stainbridge.load({str(STORED_BY_0_1_0)!r});"
        "result.warp_points([[20.0, 30.0]]);"
        "sys.exit(', '.join({'torch', 'scipy', 'skimage'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_result_of_version_0_1_0_can_be_saved_again(tmp_path: Path) -> None:
    before = load(STORED_BY_0_1_0)
    before.save(tmp_path)
    after = load(tmp_path)
    assert after.config == before.config
    assert after.stages == before.stages
    assert after.evidence is not None
    points = [[20.0, 30.0], [350.0, 40.0]]
    np.testing.assert_allclose(after.warp_points(points), before.warp_points(points), atol=1e-4)


def test_results_without_evidence_load(tmp_path: Path) -> None:
    """The first versions wrote neither evidence nor a bound."""
    shutil.copytree(STORED_BY_0_1_0, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "registration.json"
    record = json.loads(path.read_text())
    del record["evidence"], record["bound_rtre"]
    path.write_text(json.dumps(record))
    registration = load(tmp_path)
    assert registration.evidence is None
    assert math.isnan(registration.bound_rtre)
