"""A finished registration is saved, whatever fails after it, and is not made again."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from tests.cli.conftest import quarter_turn_registration
from tests.killed import die, run_killed

from stainbridge.errors import InputError
from stainbridge.jobs.register import RegisterJob
from stainbridge.learn.digest import digest_weights
from stainbridge.learn.named_weights import find_weights
from stainbridge.registration.store import load

REGISTRATION = {"registration.json", "transform.h5"}
PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def imitate_registration(patch: pytest.MonkeyPatch) -> list[int]:
    """Register slides at once, with a known result; return what grows with each."""
    made: list[int] = []

    def register(fixed: Any, moving: Any, config: Any, **_start: Any) -> Any:
        made.append(1)
        registration = quarter_turn_registration(fixed.frame, moving.frame, np.eye(3))
        return replace(registration, config=config.to_dict())

    patch.setattr("stainbridge.registration.pipeline.register_slides", register)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often slides were registered."""
    return imitate_registration(monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> RegisterJob:
    PIL.Image.fromarray(PIXELS).save(tmp_path / "he.png")
    PIL.Image.fromarray(PIXELS[::-1]).save(tmp_path / "ki67.png")
    return RegisterJob(
        fixed=tmp_path / "he.png",
        moving=tmp_path / "ki67.png",
        out=tmp_path / "result",
        preset="fast",
        write_slide=True,
    )


WRITERS = {
    "report": "stainbridge.report.write.write_report",
    "slide": "stainbridge.slides.writing.write.write_slide",
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "error", [OSError(28, "full"), RuntimeError("bug"), KeyboardInterrupt(), InputError("full")]
)
def test_whatever_fails_after_it_the_registration_is_there_and_the_rest_follows(
    writer: str,
    error: BaseException,
    job: RegisterJob,
    calls: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise error

    notes: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(WRITERS[writer], fail)
        with pytest.raises(type(error)):
            job.run(note=notes.append)
    assert names(job.out) >= REGISTRATION
    assert load(job.out).status == "ok"
    assert any("saved: the registration itself" in note for note in notes)
    outcome = job.run(note=notes.append)
    assert len(calls) == 1
    assert {path.name for path in outcome.written} == {
        *REGISTRATION, "report.html", "warped.ome.tiff",
    }  # fmt: skip
    assert job.run().is_already_done


def register_until_killed(job: RegisterJob) -> None:
    """Die where the warped slide would be written."""
    patch = pytest.MonkeyPatch()
    imitate_registration(patch)
    patch.setattr(WRITERS["slide"], die)
    job.run()


def test_a_kill_after_it_costs_the_rest_alone(job: RegisterJob, calls: list[int]) -> None:
    assert run_killed(register_until_killed, job)
    assert names(job.out) >= REGISTRATION | {"report.html"}
    job.run()
    assert not calls  # the process that was killed registered
    assert names(job.out) == {*REGISTRATION, "report.html", "warped.ome.tiff"}


@pytest.mark.parametrize("dtype", ["uint64", "int64", "complex64", "complex128"])
def test_a_slide_that_cannot_be_written_is_refused_before_any_work(
    dtype: str, job: RegisterJob, calls: list[int], tmp_path: Path
) -> None:
    moving = tmp_path / "moving.tif"
    tifffile.imwrite(moving, PIXELS.astype(dtype))
    with pytest.raises(InputError, match=r"moving\.tif"):
        replace(job, moving=moving).run()
    assert not calls
    assert not job.out.exists()


def test_other_work_is_not_completed(job: RegisterJob, calls: list[int]) -> None:
    job.run()
    (job.out / "report.html").unlink()
    with pytest.raises(InputError, match="not empty"):
        replace(job, seed=7).run()
    assert len(calls) == 1


def test_other_weights_of_the_same_name_make_another_result(
    job: RegisterJob, calls: list[int], tmp_path: Path
) -> None:
    weights = tmp_path / "net.safetensors"
    shutil.copy(find_weights("affine-net"), weights)
    job = replace(job, affine_weights=str(weights), write_slide=False, report=False)
    job.run()
    recorded = json.loads((job.out / "registration.json").read_text())["request"]["weights"]
    assert recorded == {str(weights): digest_weights(weights)}
    weights.touch()
    assert job.run().is_already_done
    assert len(calls) == 1
    with weights.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="not empty"):
        job.run()
    with pytest.raises(InputError, match="would replace the input"):
        replace(job, affine_weights=str(job.out / "transform.h5"), overwrite=True).run()


@pytest.mark.usefixtures("calls")
def test_what_is_not_asked_for_is_not_imported(
    job: RegisterJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("joint.synthesis", "translation.inference.model", "slides.writing.write"):
        monkeypatch.setitem(sys.modules, f"stainbridge.{module}", None)
    replace(job, write_slide=False, report=False).run()
    assert names(job.out) == REGISTRATION
