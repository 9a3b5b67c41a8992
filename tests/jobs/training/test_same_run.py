"""The same training command with --resume added goes on; what differs is refused and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import RUN_FILES, Inputs
from stainbridge.jobs.train_affine import TrainAffineJob
from stainbridge.jobs.train_deformable import TrainDeformableJob
from stainbridge.jobs.train_sar import TrainSarJob
from stainbridge.jobs.train_sbr import TrainSbrJob
from stainbridge.jobs.train_sharpen import TrainSharpenJob
from stainbridge.jobs.train_translate import TrainTranslateJob
from stainbridge.jobs.training.run_folder import RunFolder
from stainbridge.jobs.training.same_run import RESUMABLE
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.settings import to_dict

OUT = Path("run")
#: Jobs with every option given, and another value of each.
JOBS: tuple[tuple[TrainJob[Any], dict[str, Any]], ...] = (
    (TrainAffineJob(out=OUT), {}),
    (TrainDeformableJob(out=OUT, network="unet-svf"), {"network": "dirnet"}),
    (
        TrainTranslateJob(
            out=OUT, objective="pix2pix", source="HE", target="ER", mpp=0.5, average=0.9,
            init=Path("other"), reverse=True, max_residual=3.0, weight_by_residual=True,
            perceptual=None,
        ),
        {
            "objective": "cyclegan", "source": "PAS", "target": "PR", "mpp": 0.25, "average": 0.5,
            "init": Path("third"), "max_residual": 4.0,
        },
    ),
    (
        TrainSbrJob(out=OUT, variant="sbr-n", registration=Path("r"), split=Path("split.csv")),
        {"variant": "sbr-g", "registration": Path("q"), "split": Path("other.csv")},
    ),
    (
        TrainSarJob(out=OUT, segmentation=False, split=Path("split.csv")),
        {"split": Path("other.csv")},
    ),
    (TrainSharpenJob(out=OUT, factor="4", mpp=0.5), {"factor": "2", "mpp": 0.25}),
)  # fmt: skip
GIVEN = {"data": "tiles", "preset": "paper", "seed": 5}
OTHERS = {"data": "other", "preset": "small", "seed": 6}
#: The options whose names are not those of the job's fields.
OPTION_NAMES = {"average": "ema"}
IDS = [job.command for job, _ in JOBS]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begin(job: TrainJob[Any]) -> None:
    """Leave what a run of the job leaves that was killed in its first step."""
    OUT.mkdir()
    folder = RunFolder(OUT, job.command, resume=False)
    settings = to_dict(job._make_preset())
    settings["train"] |= {name: value for name, value in job._train_fields().items() if value}
    run = {
        "command": job.command,
        "data": job.data or "generated",
        "options": folder._merge_options(job._options()),
    }
    (OUT / "config.yaml").write_text(yaml.safe_dump({"run": run, **settings}))
    (OUT / "last.safetensors").write_text("weights")


def check(job: TrainJob[Any]) -> None:
    folder = RunFolder(job.out, job.command, job.resume, job.earlier_phase)
    folder.check(Inputs(), job._options(), job._defaults())


@pytest.mark.parametrize(("job", "others"), JOBS, ids=IDS)
def test_the_same_command_resumes_and_any_other_is_refused_by_name(
    job: TrainJob[Any], others: dict[str, Any]
) -> None:
    job = replace(job, **GIVEN)
    begin(job)
    again = replace(job, resume=True)
    check(again)
    for changes in ({"steps": 7}, {"device": "cpu"}, {"workers": 0}, {"devices": 1}):
        check(replace(again, **changes))  # type: ignore[arg-type]
    check(replace(again, data=str(Path("tiles").resolve())))
    check(type(job)(out=OUT, resume=True))
    for name, value in {**OTHERS, **others}.items():
        option = OPTION_NAMES.get(name, name)
        with pytest.raises(
            InputError, match=rf"run: --{option} cannot change a resumed run; expected"
        ):
            check(replace(again, **{name: value}))


@pytest.mark.parametrize(("job", "others"), JOBS, ids=IDS)
def test_options_that_say_what_was_left_out_change_nothing(
    job: TrainJob[Any], others: dict[str, Any]
) -> None:
    plain = type(job)(out=OUT)
    begin(plain)
    defaults = plain._defaults()
    check(replace(plain, resume=True, data="generated", seed=0, **defaults))
    for name, value in others.items():
        if value != defaults.get(name):
            with pytest.raises(InputError, match="cannot change a resumed run"):
                check(replace(plain, resume=True, **{name: value}))


def test_settings_are_compared_by_what_they_say(work: Path) -> None:
    job = TrainAffineJob(out=OUT)
    begin(job)
    same = work / "same.yaml"
    batch = job._make_preset().train.batch
    same.write_text(f"train: {{batch: {batch}, steps: 7}}\n")
    check(replace(job, resume=True, config=same))
    other = work / "other.yaml"
    other.write_text("train: {batch: 77}\n")
    with pytest.raises(InputError, match=r"--config cannot change .* other train\.batch in"):
        check(replace(job, resume=True, config=other))


def test_runs_of_earlier_versions_take_what_they_record() -> None:
    job = TrainAffineJob(out=OUT, data="tiles", seed=5)
    begin(job)
    text = yaml.safe_load((OUT / "config.yaml").read_text())
    del text["run"]["options"]
    (OUT / "config.yaml").write_text(yaml.safe_dump(text))
    check(replace(job, resume=True))
    with pytest.raises(InputError, match="--preset cannot change a resumed run"):
        check(replace(job, resume=True, preset="small"))


@pytest.mark.parametrize("run", [None, 3, "text", [], {}, {"command": "train affine"}])
def test_a_file_that_does_not_say_how_the_run_was_begun_is_one_line(run: object) -> None:
    job = TrainAffineJob(out=OUT)
    begin(job)
    text = yaml.safe_load((OUT / "config.yaml").read_text())
    (OUT / "config.yaml").write_text(yaml.safe_dump({**text, "run": run}))
    with pytest.raises(InputError, match=r"run/config\.yaml: no settings of a run; expected"):
        check(replace(job, resume=True))


def test_resuming_nothing_begins_and_so_does_a_run_killed_before_it_was_saved() -> None:
    job = TrainAffineJob(out=OUT)
    for resume in (False, True):
        check(replace(job, resume=resume))
    begin(job)
    (OUT / "last.safetensors").unlink()
    for name in RUN_FILES:
        (OUT / name).touch()
    (OUT / "last.safetensors").unlink()
    for resume in (False, True):
        check(replace(job, resume=resume))
    (OUT / "thesis.docx").write_text("precious")
    for resume in (False, True):
        with pytest.raises(InputError, match="the folder is not empty; name another"):
            check(replace(job, resume=resume))


def test_a_run_is_not_begun_over_another() -> None:
    job = TrainAffineJob(out=OUT)
    begin(job)
    with pytest.raises(InputError, match="not empty; name another or add --resume"):
        check(job)
    with pytest.raises(InputError, match="a run of another command; expected train sar"):
        check(TrainSarJob(out=OUT, resume=True))


def test_every_option_is_recorded_or_may_change() -> None:
    for job, others in JOBS:
        names = {OPTION_NAMES.get(name, name) for name in {**GIVEN, **others}}
        options = {name for name, value in replace(job, **GIVEN)._options().items() if value}
        flags = {"reverse", "weight_by_residual", "no-segmentation"}
        assert options - names - set(RESUMABLE) - flags <= {"average"}
