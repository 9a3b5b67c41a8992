"""What every training does when it is killed, interrupted, or finds a bad loss or a full disk."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.cli.test_train import AFFINE, DEFORMABLE, LANDMARKS
from tests.cli.test_train_sar import TINY as SAR
from tests.cli.test_train_sharpen import TINY as SHARPEN
from tests.cli.test_train_translate import CYCLE
from tests.cli.test_train_translate import TINY as TRANSLATE
from tests.jobs.test_train_sbr import SETTINGS as SLICES
from tests.jobs.test_train_sbr import SYNTHESIS as SBR
from tests.joint.sar.pictures import write_data
from tests.learn.test_loop import rows
from tests.registration.training.sections import section

from stainbridge.cli import training_options
from stainbridge.cli.main import run
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.learn.stepper import Stepper
from stainbridge.learn.task import Update
from stainbridge.learn.weights import count_steps

STEPS = 4
#: The step after which something happens.
MOMENT = 2
#: What every tiny run adds to its settings: all that is done between steps is done often.
RUN = {"save_every": 1, "validate_every": 2, "log_every": 2, "picture_every": 2, "seed": 3}
DISCRIMINATOR = {"patch": {"width": 4, "halvings": 2}}
GENERATOR = {"width": 4, "blocks": 1}


@dataclass(frozen=True)
class Training:
    """A training: its command without `--out`, and its settings."""

    words: str
    settings: dict[str, Any]

    @property
    def verb(self) -> list[str]:
        return self.words.split()[:2]

    def write_config(self, path: Path) -> None:
        settings = {**self.settings, "train": {**self.settings["train"], **RUN}}
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def translate(objective: str, settings: dict[str, Any]) -> Training:
    return Training(f"train translate --data tiles --objective {objective}", settings)


def synthesise(tile_px: int = 32, **generator: Any) -> dict[str, Any]:
    """Return settings of a translation whose objective is the published one."""
    return {
        **TRANSLATE,
        "translation": {
            "tile_px": tile_px,
            "generator": generator,
            "discriminator": DISCRIMINATOR,
        },
    }


def sbr(variant: str, settings: dict[str, Any], data: str = "slices") -> Training:
    return Training(f"train sbr --data {data} --variant {variant}", settings)


SYNTHESIS = {name: value for name, value in SBR.items() if name != "objective"}
TRAININGS = {
    "affine": Training("train affine --data pairs.csv", AFFINE),
    "deformable": Training("train deformable --data pairs.csv --network dirnet", DEFORMABLE),
    "cyclegan": translate("cyclegan", synthesise(**GENERATOR)),
    "pix2pix-unet": translate("pix2pix-unet", TRANSLATE),
    "sbr": sbr("sbr", SBR),
    "nmi": sbr("nmi", SLICES),
    "sar": Training("train sar --data masked", SAR),
    "sharpen": Training("train sharpen --data tiles/HE/train --factor 2", SHARPEN),
}
SLOW_TRAININGS = {
    "cyclegan-perceptual": translate("cyclegan-perceptual", CYCLE),
    "pix2pix": translate("pix2pix", synthesise(**GENERATOR)),
    "pyramid-pix2pix": translate("pyramid-pix2pix", synthesise(**GENERATOR)),
    "reg-gan": translate("reg-gan", synthesise(**GENERATOR)),
    "supervised-patchnce": translate("supervised-patchnce", synthesise(64, **GENERATOR)),
    "registration": sbr("registration", SLICES),
    "nmi-w": sbr("nmi-w", SLICES, "labelled"),
    "sbr-n": sbr("sbr-n", SYNTHESIS),
    "sbr-g": sbr("sbr-g", SYNTHESIS),
    "cgan": sbr("cgan", SYNTHESIS),
    "sar dirnet": Training("train sar --data masked --network dirnet", {**SAR, "loss": {}}),
}


def write_tiles(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            source = rng.integers(0, 256, (64, 64, 3), np.uint8)
            for stain, pixels in (("HE", source), ("IHC", 255 - source)):
                path = folder / stain / split / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)


def write_slices(folder: Path, *, labels: bool = False) -> None:
    """Write four pairs of slices: a disc that drifts, and its negative."""
    y, x = np.mgrid[:96, :96]
    for number in range(4):
        for side, sign in (("fixed", 1), ("moving", -1)):
            disc = (x - 46 - 2 * number) ** 2 + (y - 50) ** 2 < 36**2
            grey = np.where(disc, 140 + sign * (40 + 20 * np.sin(x / 3)), 0).astype(np.uint8)
            pictures = {side: grey} | ({f"{side}_labels": disc.astype(np.uint8)} if labels else {})
            for name, picture in pictures.items():
                path = folder / name / f"slice_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(path)


def write_pairs(folder: Path) -> None:
    for seed, name in enumerate(("he", "ki67")):
        slide = section(seed)
        pixels = np.moveaxis(slide.read(slide.frame).pixels, 0, -1)
        Image.fromarray(pixels).save(folder / f"{name}.png")
        write_points_csv(folder / f"{name}.csv", LANDMARKS, tuple("abcd"))
    (folder / "pairs.csv").write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks\none,he.png,ki67.png,he.csv,ki67.csv\n"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what every training trains on."""
    folder = tmp_path_factory.mktemp("trainings")
    write_tiles(folder / "tiles")
    write_slices(folder / "slices")
    write_slices(folder / "labelled", labels=True)
    write_pairs(folder)
    write_data(folder / "masked")
    return folder


@dataclass(frozen=True)
class Trained:
    """A training that nothing came between, and copies of its folder after each step."""

    name: str
    training: Training
    whole: Path
    copies: list[Path]
    second_run: tuple[int, str]

    def begin(self, out: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> int:
        """Begin the training again, and `act` after a step; return its exit code."""

        def report(text: str, fraction: float) -> None:
            if re.match(f"step {MOMENT} of", text):
                act()

        return train(self.name, self.training, out, monkeypatch, report)

    def assert_resumes(self, run_folder: Path | str) -> None:
        """Resume a run, and compare it with the one that nothing came between."""
        out = Path(run_folder)
        assert run([*self.training.verb, "--out", str(out), "--resume"]) == 0
        for name in ("last.safetensors", "best.safetensors"):
            assert (out / name).read_bytes() == (self.whole / name).read_bytes(), name
        assert rows(out) == rows(self.whole)
        assert read_pictures(out) == read_pictures(self.whole)
        assert list(out.rglob(".*")) == []


def read_pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "pictures").iterdir()}


def train(
    name: str,
    training: Training,
    out: str,
    monkeypatch: pytest.MonkeyPatch,
    report: Callable[[str, float], None],
) -> int:
    """Begin a training in `out`, and have its progress reported; return its exit code."""
    config = Path(f"{name}.yaml")
    training.write_config(config)
    words = [*training.words.split(), "--config", str(config), "--steps", str(STEPS)]
    with monkeypatch.context() as patched:
        patched.setattr(training_options, "training_progress", lambda: nullcontext(report))
        return run([*words, "--out", out])


@pytest.fixture(
    scope="module",
    params=[*TRAININGS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_TRAININGS)],
)
def trained(request: pytest.FixtureRequest, data: Path) -> Iterator[Trained]:
    """Each training in turn, in the working folder of the data."""
    name = request.param
    training = {**TRAININGS, **SLOW_TRAININGS}[name]
    out = f"whole {name}"
    copies: list[Path] = []
    second: list[tuple[int, str]] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(data)

        def copy(text: str, fraction: float) -> None:
            if "step " not in text:
                return
            copies.append(Path(f"{name} {len(copies)}"))
            shutil.copytree(out, copies[-1])
            if not second:
                second.append(run_refused([*training.verb, "--out", out, "--resume"], monkeypatch))

        assert train(name, training, out, monkeypatch, copy) == 0
        yield Trained(name, training, Path(out), copies, second[0])


def run_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Run a command; return its exit code and its line on standard error."""
    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr("stainbridge.cli.main.say", said.append)
        code = run(words)
    return code, " ".join(said)


def test_a_second_run_in_the_same_folder_is_refused(trained: Trained) -> None:
    code, said = trained.second_run
    assert code == 2
    assert "another run is writing there" in said


def test_a_killed_run_resumes_bit_for_bit(trained: Trained) -> None:
    """A copy of the folder is what a kill leaves, its lock file included."""
    assert len(trained.copies) >= STEPS
    for copy in trained.copies[:: STEPS - 1]:
        trained.assert_resumes(copy)


def test_an_interrupted_run_resumes_bit_for_bit(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"interrupted {trained.name}"
    assert trained.begin(out, monkeypatch, lambda: os.kill(os.getpid(), signal.SIGINT)) == 130
    saved = f"saved: {out}, {MOMENT} steps; the same command with --resume continues it"
    assert saved in capsys.readouterr().err.splitlines()
    trained.assert_resumes(out)


def test_a_loss_that_is_not_finite_is_one_line_and_the_run_resumes(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compute_updates = Stepper._compute_updates

    def compute_nan(stepper: Stepper, batch: Any) -> Iterator[Update]:
        for update in compute_updates(stepper, batch):
            yield replace(update, loss=update.loss * float("nan"))

    with monkeypatch.context() as patched:
        code = trained.begin(
            f"nan {trained.name}",
            monkeypatch,
            lambda: patched.setattr(Stepper, "_compute_updates", compute_nan),
        )
    assert code == 2
    assert_one_error(capsys, rf"error: step {MOMENT + 1}: the loss of '.*' is not finite; got nan")
    trained.assert_resumes(f"nan {trained.name}")


def test_a_full_disk_is_one_line_and_the_run_resumes(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(f"full {trained.name}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk() -> None:
        size = (out / "last.safetensors").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, hard))

    try:
        code = trained.begin(str(out), monkeypatch, fill_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2
    assert_one_error(capsys, f"error: {out}/last.safetensors: could not write")
    assert count_steps(out / "last.safetensors") == MOMENT
    assert [path for path in out.rglob(".*") if path.is_dir()] == []
    trained.assert_resumes(out)


def assert_one_error(capsys: pytest.CaptureFixture[str], pattern: str) -> None:
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert re.match(pattern, errors[0]), errors[0]
