"""No verb writes over an input, over part of a result, or over a file unasked."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import typer
from tests.cli.conftest import KnownResult
from tests.cli.test_translate import weights

from stainbridge.cli.app import make_app
from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.jobs.files.claim import claim_file, claim_folder
from stainbridge.jobs.files.endings import (
    FILE_ENDINGS,
    GEOJSON_ENDINGS,
    PICTURE_ENDINGS,
    POINT_ENDINGS,
)
from stainbridge.jobs.files.outputs import Inputs


@dataclass(frozen=True)
class Verb:
    """A verb that writes: its words without `--out`, and the inputs that it must never replace.

    `writes` are names of what it leaves in a folder.
    """

    words: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    overwrites: bool = True
    writes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return " ".join(word for word in self.words[:2] if word.isalpha() and word != "result")


#: Paths are relative to the working folder that `scene` makes.
FILE_VERBS = (
    Verb(
        ("warp", "slide", "result"),
        ("he.png", "ki67.png", "result/transform.h5", "result/registration.json"),
    ),
    Verb(
        ("warp", "slide", "result", "--moving", "copy.png"),
        ("copy.png", "result/report.html", "result/warped.ome.tiff"),
    ),
    Verb(
        ("warp", "points", "result", "points.csv"),
        ("points.csv", "he.png", "ki67.png", "result/transform.h5", "result/registration.json"),
    ),
    Verb(
        ("warp", "geojson", "result", "in.geojson"),
        ("in.geojson", "he.png", "ki67.png", "result/transform.h5", "result/registration.json"),
    ),
    Verb(
        ("translate", "he.png", "--model", "run"),
        ("he.png", "run/best.safetensors", "run/last.safetensors", "run/config.yaml"),
    ),
    Verb(("translate", "he.png", "--model", "weights.safetensors"), ("weights.safetensors",)),
    Verb(
        ("export", "affine", "result", "--format", "xenium"),
        ("he.png", "ki67.png", "result/transform.h5", "result/registration.json"),
    ),
    Verb(
        ("export", "onnx", "--model", "weights.safetensors", "--statistics", "he.png"),
        ("he.png", "weights.safetensors"),
    ),
    Verb(("export", "onnx", "--model", "run"), ("run/best.safetensors", "run/config.yaml")),
    Verb(
        ("cohort", "init", "slides", "--pattern", "{case}-{stain}.png"),
        ("slides/one-he.png", "slides/one-ki67.png"),
    ),
)
RESULT = ("registration.json", "transform.h5", "report.html", "warped.ome.tiff")
RUN = ("config.yaml", "metrics.csv", "last.safetensors", "best.safetensors", "pictures")
BENCHMARK = ("results.csv", "benchmark.html", "setup.json", "pictures", "points", "logs")
FOLDER_VERBS = (
    Verb(("register", "--fixed", "he.png", "--moving", "ki67.png"), writes=RESULT),
    Verb(
        ("pairs", "--fixed", "he.png", "--moving", "ki67.png", "--patch", "64"),
        writes=("manifest.csv", "set.json", "HE", "IHC", "slides", "shards", "md5sums.txt"),
    ),
    Verb(
        ("cohort", "run", "pairs.csv"),
        overwrites=False,
        writes=("cohort.csv", "cohort.json", "cases", "markers", "times", "status.json"),
    ),
    Verb(
        ("phantom", "--cases", "1", "--size", "128", "--mpp", "16"),
        writes=("pairs.csv", "cases.json", "images", "landmarks", "classes", "truth"),
    ),
    Verb(
        ("phantom", "--slices", "2", "--size", "128", "--mpp", "16"),
        writes=("slices.json", "fixed", "moving", "fixed_landmarks", "moving_mask"),
    ),
    Verb(
        ("demo", "--no-browser", "--size", "400"),
        writes=(*RESULT, "fixed-he.ome.tiff", "demo.jpg", "moving.geojson"),
    ),
    Verb(("train", "affine", "--data", "pairs.csv"), overwrites=False, writes=RUN),
    Verb(("train", "deformable", "--data", "pairs.csv"), overwrites=False, writes=RUN),
    Verb(("train", "translate", "--data", "tiles"), overwrites=False, writes=RUN),
    Verb(("train", "sbr", "--data", "tiles"), overwrites=False, writes=RUN),
    Verb(("train", "sar", "--data", "tiles"), overwrites=False, writes=RUN),
    Verb(("train", "sharpen", "--data", "tiles"), overwrites=False, writes=RUN),
    Verb(
        ("evaluate", "translation", "--data", "tiles", "--models", "weights.safetensors"),
        writes=("pictures.csv", "means.csv", "pictures.png"),
    ),
    Verb(
        ("evaluate", "slices", "--data", "pairs.csv", "--methods", "identity"),
        overwrites=False,
        writes=("rows.csv", "setup.json", "summary.csv", "strips"),
    ),
    Verb(
        ("benchmark", "landmarks", "pairs.csv", "--methods", "identity"),
        overwrites=False,
        writes=BENCHMARK,
    ),
    Verb(
        ("benchmark", "synthesis", "--data", "pairs.csv", "--methods", "identity"),
        overwrites=False,
        writes=("rows.csv", "setup.json"),
    ),
    Verb(("benchmark", "join", "bench"), overwrites=False, writes=BENCHMARK),
)
#: Words that would remove or replace one of their own inputs, and the input.
CLASHES = (
    (
        "register --fixed he.png --moving result/warped.ome.tiff --out result --overwrite",
        "result/warped.ome.tiff",
    ),
    (
        "register --fixed he.png --moving ki67.png --init result/transform.h5 --out result"
        " --overwrite",
        "result/transform.h5",
    ),
    ("register --fixed store.zarr --moving ki67.png --out store.zarr --overwrite", "store.zarr"),
    ("register --fixed store.zarr --moving ki67.png --out store.zarr/0", "store.zarr"),
    ("register --fixed he.png --moving ki67.png --sbr run --out run", "run/best.safetensors"),
    ("register --fixed he.png --moving ki67.png --sar run --out run", "run/best.safetensors"),
    ("warp slide result --moving store.zarr --out store.zarr/x.ome.tiff", "store.zarr"),
    ("translate store.zarr --model run --out store.zarr/x.ome.tiff", "store.zarr"),
    ("benchmark landmarks bench/results.csv --methods identity --out bench", "bench/results.csv"),
    (
        "evaluate translation --data tiles --models weights.safetensors --out tiles/HE/test"
        " --overwrite",
        "tiles/HE/test/pictures.png",
    ),
    ("train sharpen --data store.zarr --out store.zarr/run", "store.zarr"),
    (
        "pairs --fixed tiles/HE/test/pictures.png --moving ki67.png --out tiles --overwrite",
        "tiles/HE/test/pictures.png",
    ),
)


@pytest.fixture
def scene(known: KnownResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an input of every kind."""
    (known.folder / "report.html").write_text("report")
    shutil.copy(known.moving, known.folder / "warped.ome.tiff")
    shutil.copy(known.moving, tmp_path / "copy.png")
    write_points_csv(tmp_path / "points.csv", np.array([[10.0, 20.0]]), ("p0",))
    (tmp_path / "in.geojson").write_text('{"type": "Point", "coordinates": [1, 2]}')
    weights(tmp_path / "weights.safetensors", mpp=None)
    (tmp_path / "run").mkdir()
    for name in ("best", "last"):
        shutil.copy(tmp_path / "weights.safetensors", tmp_path / "run" / f"{name}.safetensors")
    (tmp_path / "run" / "config.yaml").write_text("run: {}\n")
    table = (
        "case,fixed,moving,fixed_landmarks,moving_landmarks\n"
        "one,he.png,ki67.png,points.csv,points.csv\n"
    )
    (tmp_path / "pairs.csv").write_text(table)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "results.csv").write_text(table.replace("one,", "one,../", 1))
    for stain in ("HE", "IHC"):
        (tmp_path / "tiles" / stain / "test").mkdir(parents=True)
        PIL.Image.new("RGB", (32, 32)).save(tmp_path / "tiles" / stain / "test" / "pictures.png")
    (tmp_path / "slides").mkdir()
    for name in ("he", "ki67"):
        shutil.copy(tmp_path / f"{name}.png", tmp_path / "slides" / f"one-{name}.png")
    (tmp_path / "store.zarr" / "0").mkdir(parents=True)
    (tmp_path / "store.zarr" / "zarr.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it; folders and special files have no bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def refusal(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused and writes nothing."""
    before = contents(folder)
    capsys.readouterr()
    assert run(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = [line for line in output.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, output.err
    assert contents(folder) == before
    assert "--help" not in lines[0], lines[0]
    return lines[0]


def other_names(path: Path) -> Iterator[tuple[str, str]]:
    """Each kind of name that leads to the same file, and such a name."""
    yield "relative", str(path)
    yield "absolute", str(path.absolute())
    yield "trailing slash", f"{path}/"
    yield "detour", f"tiles/../{path}"
    Path("soft").symlink_to(path.absolute())
    yield "symbolic link", "soft"
    os.link(path, "hard")
    yield "hard link", "hard"


def unlinked() -> None:
    for name in ("soft", "hard"):
        Path(name).unlink(missing_ok=True)


ALIASED = [(verb, name) for verb in FILE_VERBS for name in verb.inputs]


@pytest.mark.parametrize(
    ("verb", "name"), ALIASED, ids=[f"{' '.join(verb.words)} - {name}" for verb, name in ALIASED]
)
@pytest.mark.parametrize("asked", [(), ("--overwrite",)], ids=["unasked", "overwrite"])
def test_no_input_is_replaced_under_any_name(
    verb: Verb,
    name: str,
    asked: tuple[str, ...],
    scene: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for kind, other in other_names(Path(name)):
        line = refusal([*verb.words, "--out", other, *asked], scene, capsys)
        assert "would replace" in line, (kind, line)
    unlinked()


@pytest.mark.parametrize(("words", "name"), CLASHES, ids=[words for words, _ in CLASHES])
def test_no_output_folder_takes_an_input_with_it(
    words: str, name: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(words.split(), scene, capsys)
    assert "would replace" in line
    assert (scene / name).exists()


def make_fifo(path: Path) -> str:
    os.mkfifo(path)
    return str(path)


def make_socket(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))
    return str(path)


def make_link_to_device(path: Path) -> str:
    path.symlink_to("/dev/null")
    return str(path)


IRREGULAR: dict[str, Callable[[Path], str]] = {
    "device": lambda path: "/dev/null",
    "standard output": lambda path: "/dev/stdout",
    "link to a device": make_link_to_device,
    "pipe": make_fifo,
    "socket": make_socket,
}
WRITERS = (*FILE_VERBS, *FOLDER_VERBS)


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("verb", WRITERS, ids=lambda verb: " ".join(verb.words))
def test_only_regular_files_and_folders_are_written(
    verb: Verb, kind: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = IRREGULAR[kind](scene / "odd")
    asked = ["--overwrite"] if verb.overwrites else []
    line = refusal([*verb.words, "--out", out, *asked], scene, capsys)
    assert f"{out}: not a regular file" in line


@pytest.mark.parametrize("verb", FILE_VERBS, ids=lambda verb: " ".join(verb.words))
def test_an_existing_file_is_replaced_only_when_asked(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scene / "thesis").write_text("precious")
    line = refusal([*verb.words, "--out", "thesis"], scene, capsys)
    assert "thesis: exists already" in line
    assert "--overwrite" in line
    (scene / "gone").symlink_to("nowhere")
    assert "exists already" in refusal([*verb.words, "--out", "gone"], scene, capsys)


@pytest.mark.parametrize("verb", FILE_VERBS[:4], ids=lambda verb: " ".join(verb.words))
def test_an_existing_file_is_replaced_when_asked(verb: Verb, scene: Path) -> None:
    out = {"warp points": "out.csv", "warp geojson": "out.json"}.get(verb.name, "out.tiff")
    (scene / out).write_text("earlier")
    assert run([*verb.words, "--out", out, "--overwrite"]) == 0
    assert (scene / out).read_bytes() != b"earlier"


#: Endings that names of what a verb writes may have.
OWN_ENDINGS = {
    "warp slide": PICTURE_ENDINGS,
    "translate": PICTURE_ENDINGS,
    "warp points": POINT_ENDINGS,
    "warp geojson": (*GEOJSON_ENDINGS, ".gz"),
    "export affine": ("", ".csv"),
    "export onnx": ("", ".onnx"),
    "cohort init": ("", ".csv"),
}


@pytest.mark.parametrize("verb", FILE_VERBS, ids=lambda verb: " ".join(verb.words))
def test_a_name_that_says_another_content_is_refused(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in {*FILE_ENDINGS, ".docx", ".svs", ".tar.gz"} - {*OWN_ENDINGS[verb.name]}:
        line = refusal([*verb.words, "--out", f"o{ending}"], scene, capsys)
        assert f"o{ending}: {Path(ending).suffix or ending} is not written; expected " in line


@pytest.mark.parametrize("verb", FOLDER_VERBS, ids=lambda verb: " ".join(verb.words))
def test_a_folder_is_not_named_like_a_file(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in (".png", ".ome.tiff", ".csv", ".H5"):
        line = refusal([*verb.words, "--out", f"o{ending}"], scene, capsys)
        assert f"o{ending}: a folder is written" in line


@pytest.mark.parametrize("verb", FILE_VERBS, ids=lambda verb: " ".join(verb.words))
def test_a_folder_is_no_file(verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal([*verb.words, "--out", "tiles", "--overwrite"], scene, capsys)
    assert "tiles: is a folder; expected a file name" in line


@pytest.mark.parametrize("verb", FOLDER_VERBS, ids=lambda verb: " ".join(verb.words))
def test_a_file_is_no_folder(verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / "thesis.docx").write_text("precious")
    asked = ["--overwrite"] if verb.overwrites else []
    line = refusal([*verb.words, "--out", "thesis.docx", *asked], scene, capsys)
    assert "is a file" in line


@pytest.mark.parametrize("verb", FOLDER_VERBS, ids=lambda verb: " ".join(verb.words))
def test_files_of_others_are_not_replaced_unasked(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = scene / "mine"
    mine.mkdir()
    for name in verb.writes:
        (mine / name).write_text("precious")
        refusal([*verb.words, "--out", "mine"], scene, capsys)
        (mine / name).unlink()


@pytest.mark.parametrize("verb", FOLDER_VERBS, ids=lambda verb: " ".join(verb.words))
def test_what_is_no_file_is_not_replaced_within_a_folder(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = scene / "mine"
    mine.mkdir()
    asked = ["--overwrite"] if verb.overwrites else []
    for name, kind in zip(verb.writes, cycle(("link to a device", "pipe", "socket"))):
        IRREGULAR[kind](mine / name)
        refusal([*verb.words, "--out", "mine", *asked], scene, capsys)
        assert not (mine / name).is_file()
        (mine / name).unlink()


@pytest.mark.parametrize("verb", FOLDER_VERBS, ids=lambda verb: " ".join(verb.words))
def test_somebody_s_folder_is_not_taken_for_an_output(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--overwrite"] if verb.overwrites else []
    for name in verb.writes:
        thesis = scene / "mine" / name / "thesis.docx"
        thesis.parent.mkdir(parents=True)
        thesis.write_text("precious")
        refusal([*verb.words, "--out", "mine", *asked], scene, capsys)
        shutil.rmtree(scene / "mine")


@pytest.mark.parametrize("verb", WRITERS, ids=lambda verb: " ".join(verb.words))
def test_a_second_run_on_one_output_is_refused(
    verb: Verb, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with claim_file(Path("x"), Inputs(), overwrite=False), claim_folder(Path("mine")):
        out = "x" if verb in FILE_VERBS else "mine"
        line = refusal([*verb.words, "--out", out], scene, capsys)
    assert f"{out}: another run is writing there" in line


def test_the_tables_name_every_verb_that_writes() -> None:
    def names(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from names(inner, (*path, name))
        if any(parameter.name == "out" for parameter in command.params):
            yield " ".join(path)

    assert set(names(typer.main.get_command(make_app()), ())) == {verb.name for verb in WRITERS}
