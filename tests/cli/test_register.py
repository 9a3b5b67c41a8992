from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.cli.test_broken_off import (
    LONGEST_WAIT_S,
    interrupt_when,
    leave_out_progress,
    start,
)
from tests.registration.quick import QUICK
from tests.tissue import Tissue

import stainbridge
from stainbridge.cli.main import run
from stainbridge.cli.register import summary
from stainbridge.geometry.landmarks import read_points_csv, write_points_csv
from stainbridge.geometry.transform import Affine, split_chain
from stainbridge.jobs.register_outcome import RegisterOutcome
from stainbridge.registration.config import PRESETS

SUCCESS_RTRE = 0.01
FAST = PRESETS["fast"]


def register(tissue: Tissue, out: Path, *options: object) -> list[str]:
    """The words of a register command."""
    slides = ["--fixed", tissue.fixed, "--moving", tissue.moving]
    return [str(word) for word in ("register", *slides, "--out", out, "--preset", "fast", *options)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture(scope="module", autouse=True)
def quick_preset() -> Iterator[None]:
    """Let `fast` take a second in this process: the command is tested, not the method."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "fast", QUICK)
        yield


@pytest.fixture(scope="module")
def result(tissue: Tissue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a registration with everything asked for."""
    out = tmp_path_factory.mktemp("register") / "result"
    assert run(register(tissue, out, "--write-slide", "--seed", 7)) == 0
    return out


def test_the_folder_holds_all_outputs(result: Path) -> None:
    assert names(result) == {"registration.json", "transform.h5", "report.html", "warped.ome.tiff"}


def test_the_record_says_what_was_done(result: Path, tissue: Tissue) -> None:
    record = json.loads((result / "registration.json").read_text())
    assert record["status"] in ("ok", "fallback")
    assert record["seed"] == 7
    assert record["moving"]["path"] == str(tissue.moving)
    assert {"name", "seconds", "score"} <= set(record["stages"][0])
    assert {"reason", "predicted_rtre", "bound_rtre", "evidence", "seconds", "fixed"} <= set(record)
    assert {"flip", "rotation_deg", "version", "config"} <= set(record)


def test_the_summary_says_how_far_off_it_may_be(result: Path) -> None:
    said = summary(RegisterOutcome.read(result))
    assert "expected error 0." in said
    assert "nine of ten like it below" in said


def test_the_summary_leads_to_the_report_where_there_is_a_doubt(result: Path) -> None:
    outcome = RegisterOutcome.read(result)
    assert "report.html" in summary(replace(outcome, status="fallback"))
    assert "report.html" not in summary(replace(outcome, status="ok"))


def test_the_summary_says_that_a_network_was_not_used(result: Path) -> None:
    outcome = RegisterOutcome.read(result)
    stage = {"name": "learned field", "accepted": False, "note": "no better than the affine"}
    record = {**outcome.record, "stages": [*outcome.record["stages"], stage]}
    said = summary(replace(outcome, record=record))
    assert "note: learned field was not used: no better than the affine" in said
    used = {**record, "stages": [*outcome.record["stages"], {**stage, "accepted": True}]}
    assert "was not used" not in summary(replace(outcome, record=used))


def test_it_finds_the_truth(
    result: Path, tissue: Tissue, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = [
        "--fixed-landmarks",
        str(tissue.fixed_landmarks),
        "--moving-landmarks",
        str(tissue.moving_landmarks),
    ]
    assert run(["evaluate", "landmarks", *marks, "--result", str(result), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["before"]["rtre"]["median"] > 0.05
    assert scores["after"]["rtre"]["median"] < SUCCESS_RTRE


def test_the_warped_slide_has_the_fixed_slides_size(result: Path, tissue: Tissue) -> None:
    with (
        stainbridge.open_slide(result / "warped.ome.tiff") as warped,
        stainbridge.open_slide(tissue.fixed) as fixed,
    ):
        assert (warped.frame.width, warped.frame.height) == (fixed.frame.width, fixed.frame.height)


def test_again_it_gives_the_same_and_json_is_the_record_and_nothing_else(
    tissue: Tissue, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    assert run(register(tissue, again, "--seed", 7, "--no-report", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (again / "registration.json").read_text()
    )
    assert names(again) == {"registration.json", "transform.h5"}
    points, _ = read_points_csv(tissue.fixed_landmarks)
    first, second = (
        stainbridge.load(folder).warp_points(points, to="moving") for folder in (result, again)
    )
    assert second == pytest.approx(first, abs=1e-3)


def test_python_does_what_the_command_does(tissue: Tissue, result: Path, tmp_path: Path) -> None:
    registration = stainbridge.register(tissue.fixed, tissue.moving, preset="fast", seed=7)
    points, _ = read_points_csv(tissue.fixed_landmarks)
    expected = stainbridge.load(result).warp_points(points, to="moving")
    assert registration.warp_points(points, to="moving") == pytest.approx(expected, abs=0.05)
    registration.save(tmp_path / "saved")
    assert stainbridge.load(tmp_path / "saved").status == registration.status


def test_an_option_that_does_not_exist_is_named(tissue: Tissue) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        stainbridge.register(tissue.fixed, tissue.moving, colour="red")  # type: ignore[call-arg]


def test_it_can_start_from_landmarks_and_from_a_transform(
    tissue: Tissue, result: Path, tmp_path: Path
) -> None:
    marks = (
        "--fixed-landmarks",
        tissue.fixed_landmarks,
        "--moving-landmarks",
        tissue.moving_landmarks,
    )
    assert run(register(tissue, tmp_path / "a", *marks, "--no-report")) == 0
    assert (
        run(register(tissue, tmp_path / "b", "--init", result / "transform.h5", "--no-report")) == 0
    )


def test_the_transform_is_what_was_asked_for(tissue: Tissue, result: Path, tmp_path: Path) -> None:
    out = tmp_path / "affine"
    start = ("--init", result / "transform.h5", "--no-report")
    assert run(register(tissue, out, "--transform", "affine", *start)) == 0
    registration = RegisterOutcome.read(out).load()
    assert all(isinstance(part, Affine) for part in split_chain(registration.transform))
    record = json.loads((out / "registration.json").read_text())
    assert [stage["name"] for stage in record["stages"]] == ["prepare", "search", "affine"]
    assert 0 < record["predicted_tissue_rtre"] < record["bound_tissue_rtre"]
    assert record["tissue_um"] > 0 < record["bound_um"]


@dataclass(frozen=True)
class Bad:
    """A command with something wrong in it, and what the one line must say."""

    arguments: Callable[[Tissue, Path], list[str]]
    said: str


def mask_of_size(path: Path, width: int, height: int) -> Path:
    PIL.Image.fromarray(np.full((height, width), 255, np.uint8)).save(path)
    return path


def points_file(path: Path, count: int) -> Path:
    write_points_csv(
        path, np.arange(2.0 * count).reshape(-1, 2) ** 2, tuple(map(str, range(count)))
    )
    return path


def text_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


BAD = {
    "stages that a transform rules out": Bad(
        lambda t, f: register(t, f / "out", "--transform", "rigid", "--tiles", 4096),
        "--transform rigid excludes options of other stages",
    ),
    "missing slide": Bad(
        lambda t, f: [
            "register",
            "--fixed",
            str(f / "no.svs"),
            "--moving",
            str(t.moving),
            "--out",
            str(f / "out"),
        ],
        "no.svs: no such file",
    ),
    "no picture": Bad(
        lambda t, f: [
            *["register", "--fixed", str(t.fixed), "--out", str(f / "out")],
            *["--moving", str(text_file(f / "x.svs", "words"))],
        ],
        "x.svs: not a slide",
    ),
    "mask of another shape": Bad(
        lambda t, f: register(t, f / "out", "--fixed-mask", mask_of_size(f / "m.png", 50, 400)),
        "m.png: the mask does not have the slide's shape; expected",
    ),
    "landmark counts": Bad(
        lambda t, f: register(
            t,
            f / "out",
            "--fixed-landmarks",
            points_file(f / "a.csv", 3),
            "--moving-landmarks",
            points_file(f / "b.csv", 4),
        ),
        "b.csv: the landmarks of the two slides must correspond one to one; expected 3",
    ),
    "one landmark": Bad(
        lambda t, f: register(
            t,
            f / "out",
            "--fixed-landmarks",
            points_file(f / "a.csv", 1),
            "--moving-landmarks",
            points_file(f / "b.csv", 1),
        ),
        "too few landmarks",
    ),
    "landmarks on one side": Bad(
        lambda t, f: register(t, f / "out", "--fixed-landmarks", points_file(f / "a.csv", 3)),
        "--moving-landmarks",
    ),
    "two starts": Bad(
        lambda t, f: register(
            t,
            f / "out",
            *["--init", f / "t.h5", "--fixed-landmarks", points_file(f / "a.csv", 3)],
            *["--moving-landmarks", points_file(f / "b.csv", 3)],
        ),
        "exclude each other",
    ),
    "no transform": Bad(
        lambda t, f: register(t, f / "out", "--init", f / "t.h5"), "t.h5: no such transform file"
    ),
    "preset and pipeline": Bad(
        lambda t, f: register(t, f / "out", "--pipeline", text_file(f / "p.yaml", "")),
        "exclude each other",
    ),
    "no pipeline": Bad(
        lambda t, f: [
            word
            for word in register(t, f / "out", "--pipeline", f / "p.yaml")
            if word not in ("--preset", "fast")
        ],
        "p.yaml",
    ),
    "no weights": Bad(
        lambda t, f: register(t, f / "out", "--affine-weights", "no-such"),
        "no-such: no weights of that name",
    ),
    "truncated weights": Bad(
        lambda t, f: register(
            t, f / "out", "--deformable-weights", text_file(f / "w.safetensors", "half a file")
        ),
        "w.safetensors",
    ),
    "pixel size": Bad(
        lambda t, f: register(t, f / "out", "--fixed-mpp", "-1"), "--fixed-mpp out of range"
    ),
    "output not empty": Bad(
        lambda t, f: register(t, text_file(f / "thesis.txt", "precious").parent),
        "not empty; expected a new or empty",
    ),
    "output is a file": Bad(
        lambda t, f: register(t, text_file(f / "out.txt", "precious")),
        "out.txt: the output is a file",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    kind: str, tissue: Tissue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = BAD[kind].arguments(tissue, tmp_path)
    before = names(tmp_path)
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert BAD[kind].said in output.err
    assert names(tmp_path) == before


def test_an_unreadable_tile_is_named(
    tissue: Tissue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tifffile

    path = tmp_path / "broken.tif"
    pixels = np.asarray(PIL.Image.open(tissue.moving))
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(256, 256), compression="jpeg")
    with tifffile.TiffFile(path) as file:
        offsets, lengths = file.pages[0].dataoffsets, file.pages[0].databytecounts
    data = bytearray(path.read_bytes())
    for offset, length in zip(offsets, lengths, strict=True):
        data[offset : offset + length] = bytes(length)
    path.write_bytes(data)
    out = tmp_path / "out"
    assert run(register(Tissue(tissue.fixed, path, path, path), out)) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {path}")
    assert line.count("\n") == 1
    assert not out.exists()


def blank(path: Path) -> Path:
    PIL.Image.fromarray(np.full((600, 700, 3), 245, np.uint8)).save(path, "PNG")
    return path


def chest(path: Path) -> Path:
    """Nothing like tissue: two dark lungs with ribs on a bright ground."""
    y, x = np.mgrid[0:600, 0:700]
    lungs = sum(
        np.exp(-((((x - cx) / 110.0) ** 2 + ((y - 300) / 200.0) ** 2) ** 4)) for cx in (210, 490)
    )
    ribs = 0.5 + 0.5 * np.sin((y + 0.002 * (x - 350) ** 2) / 14.0)
    grey = 200 - 150 * np.clip(lungs, 0, 1) * (0.6 + 0.4 * ribs)
    PIL.Image.fromarray(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)).save(path, "PNG")
    return path


def test_slides_with_nothing_in_common_fail_with_a_reason_and_no_transform(
    tissue: Tissue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "out", chest(tmp_path / "chest.png")
    limits = ("--no-flip", "--max-rotation", 45, "--threads", 1, "--device", "cpu")
    assert (
        run(
            register(
                Tissue(tissue.fixed, other, other, other), out, "--write-slide", "--json", *limits
            )
        )
        == 3
    )
    printed = json.loads(capsys.readouterr().out)
    assert printed["status"] == "failed"
    assert printed["reason"]
    assert names(out) == {"registration.json", "report.html"}
    assert stainbridge.load(out).status == "failed"
    config = printed["config"]
    assert (config["allow_flip"], config["max_rotation_deg"], config["threads"]) == (False, 45, 1)


def test_a_blank_slide_fails_and_leaves_no_earlier_transform(
    tissue: Tissue, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "out", blank(tmp_path / "blank.png")
    shutil.copytree(result, out)
    assert (
        run(register(Tissue(tissue.fixed, other, other, other), out, "--overwrite", "--no-report"))
        == 3
    )
    assert capsys.readouterr().out.startswith("failed")
    assert names(out) == {"registration.json"}


def test_ctrl_c_leaves_nothing(tissue: Tissue, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    process = start(*register(tissue, out), "--preset", "accurate")
    code, printed, err = interrupt_when(process, lambda: out.exists() and any(out.iterdir()))
    assert (code, printed) == (130, "")
    assert err.endswith("interrupted; nothing half-written was left\n")
    assert names(tmp_path) == set()


def test_a_full_disk_leaves_nothing(tissue: Tissue, tmp_path: Path) -> None:
    process = start(*register(tissue, tmp_path / "out"), limit_bytes=1000)
    printed, err = process.communicate(timeout=LONGEST_WAIT_S)
    assert (process.returncode, printed) == (2, ""), err
    assert "transform.h5: could not write: " in err
    assert leave_out_progress(err).count("\n") == 1
    assert names(tmp_path) == set()


needs_data = pytest.mark.skipif(
    "STAINBRIDGE_DATA" not in os.environ, reason="needs STAINBRIDGE_DATA"
)


@needs_data
def test_a_chest_x_ray_and_a_kidney_have_nothing_in_common(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "fast", FAST)
    data = Path(os.environ["STAINBRIDGE_DATA"])
    kidney = sorted((data / "rat_kidney").rglob("*.jpg")) + sorted(
        (data / "rat_kidney").rglob("*.png")
    )
    chest_xray = data / "chest_xray" / "images" / "cxr_001.png"
    arguments = register(
        Tissue(kidney[0], chest_xray, chest_xray, chest_xray), tmp_path / "out", "--json"
    )
    assert run(arguments) == 3
    assert json.loads(capsys.readouterr().out)["reason"]


@needs_data
def test_a_file_that_is_no_slide_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Path(os.environ["STAINBRIDGE_DATA"]) / "slide_formats" / "broken.svs"
    assert run(register(Tissue(broken, broken, broken, broken), tmp_path / "out")) == 2
    assert capsys.readouterr().err.startswith(f"error: {broken}: ")
    assert names(tmp_path) == set()
