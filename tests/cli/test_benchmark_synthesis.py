"""`stainbridge benchmark synthesis` from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.test_translate import weights

from stainbridge.cli.main import run
from stainbridge.evaluate.synthesis import methods
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.registration.config import PRESETS, DeformableConfig

BEGIN = ["benchmark", "synthesis", "--data", "set", "--patch", "48", "--min-tissue", "0.4"]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated data set of one pair, and untrained weights of a translation."""
    folder = tmp_path_factory.mktemp("synthesis")
    PhantomJob(
        out=folder / "set", cases=1, size_px=256, mpp=8.0, stains="he,ki67", difficulty="easy"
    ).run()
    weights(folder / "cycle.safetensors", mpp=8.0)
    return folder


@pytest.fixture
def place(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with the data beside it; the commands run there.

    The pre-alignment is that of `fast`.
    """
    quick = PRESETS["fast"].without_stage(DeformableConfig)
    monkeypatch.setattr(methods, "PRE_ALIGNMENT", quick)
    for path in generated.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_lines(out: Path) -> list[dict[str, str]]:
    with (out / "rows.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_real_and_synthetic_pairs_stand_in_the_same_tables(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*BEGIN, "--methods", "affine,unet-svf", "--out", "table"]
    command += ["--translators", "real,syn-1=cycle.safetensors"]
    assert run(command) == 0
    text = capsys.readouterr().out
    for title in ("set: patches", "set: blocks", "set: landmarks"):
        assert title in text
    lines = read_lines(place / "table")
    assert [(line["translation"], line["method"]) for line in lines] == [
        (name, method)
        for name in ("real", "syn-1")
        for method in ("identity", "affine", "unet-svf")
    ]
    real = {line["method"]: line for line in lines if line["translation"] == "real"}
    assert float(real["affine"]["rtre_median"]) < float(real["identity"]["rtre_median"])
    assert float(real["affine"]["class_dice"]) > float(real["identity"]["class_dice"])
    assert float(real["affine"]["patch_same_stain_ncc"]) > float(
        real["identity"]["patch_same_stain_ncc"]
    )
    synthetic = {line["method"]: line for line in lines if line["translation"] == "syn-1"}
    assert {line["translated"] for line in synthetic.values()} <= {"fixed", "moving"}
    assert all(line["status"] in ("ok", "fallback") or line["reason"] for line in lines)
    before = (place / "table" / "rows.csv").read_bytes()
    assert run([*command, "--json"]) == 0  # nothing is run again
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 6
    assert (place / "table" / "rows.csv").read_bytes() == before
    assert run([*command, "--max-patches", "3"]) == 2
    assert "how it is measured has changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--methods", "magic"], "magic: no such method"),
        (["--methods", ","], "no names"),
        (["--methods", "net="], "not a name and a run"),
        (["--methods", "net=cycle.safetensors"], "do not register"),
        (["--methods", "dirnet"], "no weights of that name"),
        (["--methods", "affine", "--translators", "syn=missing/run"], "no weights there"),
        (["--methods", "affine", "--translators", "unet-svf"], "expected translate"),
        (
            ["--methods", "affine", "--translators", "a=he-panck,a=cycle.safetensors"],
            "two of the same name",
        ),
        (["--methods", "affine", "--mpp", "-1"], "--mpp out of range"),
        (["--methods", "affine", "--data", "nothing"], "no such data set"),
        (["--methods", "affine", "--data", "set"], "two data sets have the same name"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(
    options: list[str], said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*BEGIN, "--out", "table", *options]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert said in output.err
    assert not (place / "table").exists()


def test_a_folder_with_other_things_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "table").mkdir()
    (place / "table" / "thesis.txt").write_text("mine")
    assert run([*BEGIN, "--methods", "affine", "--out", "table"]) == 2
    assert "the folder has other things in it" in capsys.readouterr().err
