"""A folder with the files that the pages name, small and generated."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
import yaml
from tests.docs.blocks import TRAIN
from tests.joint.sar.pictures import write_data
from tests.registration.quick import QUICK
from tests.tissue import Tissue

import stainbridge
from stainbridge.cli.main import run
from stainbridge.registration.config import PRESETS

#: Settings that make a training take seconds, by the verb of `train`.
TINY: dict[str, dict[str, Any]] = {
    "affine": {
        "train": TRAIN,
        "pairs": {"section_px": [64, 64], "cached_pairs": 1, "stored_samples": 2},
        "network": {"patch_px": 32, "widths": [8, 16], "features": 16, "groups": 4, "pool": 2},
        "generated": {"size_px": 128, "mpp": [4.0, 8.0]},
    },
    "deformable": {
        "train": TRAIN,
        "pairs": {"cached_pairs": 1, "patch_px": 64, "section_px": [64, 64], "stored_samples": 2},
        "generated": {"size_px": 128, "mpp": [4.0, 8.0]},
    },
    "translate": {"train": TRAIN, "translation": {"tile_px": 64}},
    "sharpen": {"train": TRAIN},
    "sar": {
        "train": TRAIN,
        "pairs": {"size_px": 64},
        "generated": {"slides": 2, "slide_px": 128, "mpp": 16.0},
    },
    "sbr": {"train": TRAIN, "registration_steps": 2, "slices": {"longest_px": 64}},
}
#: Other names that pages give to the moving slide.
ALIASES = ("ihc", "her2", "panck", "restained")
#: Names that pages give to a model of H&E to an immunostain.
MODELS = ("he-to-ki67", "pyramid-run")
TILE_PX = 96


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Make every preset and the demo quick: pages are run for their words."""
    for name in PRESETS:
        patch.setitem(PRESETS, name, QUICK.with_options(name=name, pieces=True))
    patch.setattr("stainbridge.jobs.demo_stain.DETAIL_PX", 96)
    patch.setattr("stainbridge.jobs.demo_stain.TILE_PX", 160)


@pytest.fixture(autouse=True)
def quick_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


@pytest.fixture(scope="session")
def shelf(tissue: Tissue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file and folder that a page names without having made it."""
    shelf = tmp_path_factory.mktemp("shelf")
    shutil.copytree(tissue.fixed.parent, shelf, dirs_exist_ok=True)
    for name in ALIASES:
        shutil.copy(shelf / "ki67.svs", shelf / f"{name}.svs")
    (shelf / "slides").mkdir()
    shutil.copy(shelf / "he.svs", shelf / "slides" / "he.svs")
    (shelf / "pairs.csv").write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks\none,he.svs,ki67.svs,he.csv,ki67.csv\n"
    )
    for verb, settings in TINY.items():
        (shelf / f"quick-{verb}.yaml").write_text(yaml.safe_dump(settings))
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        _write_result(shelf)
    _write_tiles(shelf)
    _write_models(shelf / "weights")
    write_data(shelf / "xrays")
    return shelf


@pytest.fixture
def place(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with the files of the shelf; the page is run there."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STAINBRIDGE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path


def _write_result(shelf: Path) -> None:
    sides = ["--fixed", str(shelf / "he.svs"), "--moving", str(shelf / "ki67.svs")]
    assert run(["register", *sides, "--preset", "fast", "--out", str(shelf / "result")]) == 0
    shutil.copy(shelf / "result" / "transform.h5", shelf / "start.h5")


def _write_tiles(shelf: Path) -> None:
    """Write a paired set with scores, in BCI's layout, and two folders of unpaired tiles."""
    with stainbridge.open_slide(shelf / "he.svs") as slide:
        whole = np.moveaxis(slide.read(slide.frame).pixels, 0, -1)
    middle = whole[250:550, 250:550]
    rows = ["name,patient,split,label,kept,residual_px,residual_uncertainty_px,residual_um"]
    for split, count in (("train", 6), ("test", 2)):
        for number in range(count):
            row, column = divmod(number, 3)
            part = middle[row * TILE_PX :, column * TILE_PX :][:TILE_PX, :TILE_PX]
            name = f"{split}-{number}"
            brown = cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
            for folder in (f"SET/HE/{split}", "he-tiles"):
                _save(shelf / folder / f"{name}.png", part)
            for folder in (f"SET/IHC/{split}", "ki67-tiles"):
                _save(shelf / folder / f"{name}.png", brown)
            rows.append(f"{name},p,{split},,yes,{1 + number / 4},0.1,{1 + number / 4}")
    (shelf / "SET" / "manifest.csv").write_text("\n".join(rows) + "\n")


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def _write_models(folder: Path) -> None:
    """Write the shipped translation under the names of the pages."""
    shipped = Path(stainbridge.__path__[0]) / "weights"
    folder.mkdir()
    for name in MODELS:
        shutil.copy(shipped / "he-panck.safetensors", folder / f"{name}.safetensors")
