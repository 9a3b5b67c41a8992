"""A Python user's job leaves the command's files, here or in another process."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import KnownResult, known
from tests.cli.test_translate import slide, weights
from tests.tissue import Tissue

from stainbridge.cli.main import run
from stainbridge.errors import InputError
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.jobs.register import RegisterJob
from stainbridge.jobs.register_outcome import RegisterOutcome
from stainbridge.jobs.translate import TranslateJob
from stainbridge.jobs.warp_points import WarpPointsJob, WarpPointsOutcome
from stainbridge.translation.inference.inference import Inference

__all__ = ["known", "slide"]


def test_a_job_gives_the_command_s_files_in_another_process(
    known: KnownResult, tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    write_points_csv(source, np.array([[10.0, 20.0], [30.0, 5.0]]), ("a", "b"))
    words = ["warp", "points", str(known.folder), str(source), "--out", str(tmp_path / "c.csv")]
    assert run(words) == 0
    job = WarpPointsJob(result=known.folder, source=source, out=tmp_path / "j.csv")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        outcome = pool.submit(job.run).result()
    assert isinstance(outcome, WarpPointsOutcome)
    assert (outcome.written, outcome.points, outcome.status) == (tmp_path / "j.csv", 2, "ok")
    assert (tmp_path / "j.csv").read_bytes() == (tmp_path / "c.csv").read_bytes()


def test_a_translation_resumes_from_finished_tiles(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = TranslateJob(
        slide=slide,
        model=weights(tmp_path / "model.safetensors"),
        out=tmp_path / "ki67.tiff",
        tile_px=128,
        mpp=2.0,
    )
    calls: list[int] = []
    infer = Inference.__call__

    def interrupt_eighth(self: Inference, pixels: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return infer(self, pixels)

    monkeypatch.setattr(Inference, "__call__", interrupt_eighth)
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        job.run(note=notes.append)
    assert any("the same command resumes from them" in note for note in notes)
    stages: list[tuple[str, float]] = []
    outcome = job.run(progress=lambda stage, fraction: stages.append((stage, fraction)))
    resumed = len(calls) - 8
    assert outcome.written.is_file()
    assert outcome.target == "Ki67"
    assert stages[-1] == ("translating", 1.0)
    del calls[8:]
    replace(job, out=tmp_path / "whole.tiff").run()
    assert resumed < len(calls) - 8
    assert outcome.written.read_bytes() == (tmp_path / "whole.tiff").read_bytes()


def test_tiles_folders_of_somebody_else_are_left_alone(slide: Path, tmp_path: Path) -> None:
    model = weights(tmp_path / "model.safetensors")
    parts = tmp_path / "x.tiff.parts"
    parts.mkdir()
    (parts / "mine.txt").write_text("precious")
    TranslateJob(slide=slide, model=model, out=tmp_path / "x.tiff").run()
    assert [path.name for path in parts.iterdir()] == ["mine.txt"]
    (tmp_path / "y.tiff.parts").write_text("precious")
    with pytest.raises(InputError, match=r"y\.tiff\.parts: finished tiles cannot be kept there"):
        TranslateJob(slide=slide, model=model, out=tmp_path / "y.tiff").run()


@pytest.fixture(scope="module")
def done(tissue: Tissue, tmp_path_factory: pytest.TempPathFactory) -> RegisterJob:
    """A registration that has run."""
    out = tmp_path_factory.mktemp("jobs") / "result"
    job = RegisterJob(fixed=tissue.fixed, moving=tissue.moving, out=out, preset="fast", seed=7)
    outcome = job.run()
    assert not outcome.is_already_done
    assert {path.name for path in outcome.written} == {
        "registration.json",
        "transform.h5",
        "report.html",
    }
    return job


def test_finished_work_is_not_done_again(
    done: RegisterJob, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (done.out / "registration.json").read_bytes()
    notes: list[str] = []
    outcome = done.run(note=notes.append)
    assert outcome.is_already_done
    assert notes == [f"already done: {done.out}; add --overwrite to register again"]
    assert (done.out / "registration.json").read_bytes() == before
    words = ["register", "--fixed", str(done.fixed), "--moving", str(done.moving)]
    assert run([*words, "--out", str(done.out), "--preset", "fast", "--seed", "7"]) == 0
    output = capsys.readouterr()
    assert "already done" in output.err
    assert output.out.startswith(f"{outcome.status} after ")


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"preset": "default"}, {"fixed_mpp": 3.0}, {"write_slide": True}],
    ids=str,
)
def test_other_settings_are_other_work(done: RegisterJob, change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="not empty"):
        replace(done, **change).run()  # type: ignore[arg-type]


def test_other_inputs_and_missing_files_are_other_work(done: RegisterJob, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not empty"):
        replace(done, moving=done.fixed).run()
    record = json.loads((done.out / "registration.json").read_text())
    (tmp_path / "registration.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="not empty"):
        replace(done, out=tmp_path).run()


def test_an_outcome_reads_a_result_of_an_earlier_version(
    known: KnownResult, tmp_path: Path
) -> None:
    outcome = RegisterOutcome.read(known.folder)
    assert (outcome.status, outcome.predicted_um) == ("ok", None)
    assert outcome.load().status == "ok"
