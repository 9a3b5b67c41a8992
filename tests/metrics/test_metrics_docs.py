"""The Python of docs/metrics.md is run, block after block, in a folder with the files it names."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor, nn

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.result import Registration

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.S | re.M
)


class Means(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float().mean((2, 3))


def write_files(folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (20, 24, 24, 3), np.uint8)
    for name in ("he", "ki67-on-he", "ki67", "ki67-generated"):
        PIL.Image.fromarray(pixels[0]).save(folder / f"{name}.png")
    for name in ("tumour-a", "tumour-b"):
        PIL.Image.fromarray((pixels[1, ..., 0] > 100) * np.uint8(255)).save(folder / f"{name}.png")
    for name, some in (("real", pixels[:10]), ("generated", pixels[10:])):
        (folder / name).mkdir()
        for i, picture in enumerate(some):
            PIL.Image.fromarray(picture).save(folder / name / f"{i}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Means()).save(folder / "inception-2015-12-05.pt")
    fixed, moving = Space("a", 24, 24).frame, Space("b", 24, 24).frame
    turn = Affine(np.array([[0.0, -1, 24], [1, 0, 0], [0, 0, 1]]), fixed.space, moving.space)
    registration = Registration(fixed, moving, "ok", "", (), 1.0, 0.001, 0, {}, turn)
    registration.save(folder / "result")


def test_the_documented_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/metrics.md", "exec"), names)
    assert names["ranks"] == {"ours": 1.0, "other": 2.0}
    assert names["scores"].amrtre == pytest.approx((0.003 + 0.02) / 2)
    assert names["image_scores"].ncc == pytest.approx(1)
    assert names["agreement"].dice == 1
    assert names["smoothness"].folded == 0
    assert names["there_and_back"].max < 1e-6
    assert names["brown"].positive_dice == 1
    assert names["distance"].real == 10
    assert names["field"].grad is not None
