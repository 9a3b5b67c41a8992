"""The code of docs/transform-files.md is run, and the report shows the same."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import SimpleITK
from scipy.ndimage import gaussian_filter

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.geometry.warp import warp_array
from stainbridge.registration.result import Registration

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "transform-files.md").read_text(encoding="utf-8"), re.S
)
REDUCTION = 2


def solved(*, calibrated: bool) -> Registration:
    mpp = (0.5, 0.25) if calibrated else (1.0, 1.0)
    fixed = Space("fixed", 160, 200, (mpp[0], mpp[0]), calibrated=calibrated).frame
    moving = Space("moving", 180, 220, (mpp[1], mpp[1]), calibrated=calibrated).frame
    ratio = mpp[1] / mpp[0]
    turn = Affine(
        np.array([[0.9, -0.3, 40 * mpp[0]], [0.3, 0.9, -5.0], [0, 0, 1]]), fixed.space, fixed.space
    )
    scale = Affine(np.diag([ratio, ratio, 1.0]) @ turn.matrix, fixed.space, moving.space)
    grid = fixed.fit(50)
    noise = np.random.default_rng(0).normal(size=(2, grid.height, grid.width))
    bend = (gaussian_filter(noise, (0, 4, 4)) * 30 * mpp[0]).astype(np.float32)
    solution = Chain((DisplacementField(bend, grid, fixed.space, fixed.space), scale))
    return Registration(fixed, moving, "ok", "", (), 1.0, 0.001, 0, {}, solution)


def texture(frame: Frame) -> np.ndarray:
    """A smooth picture of a slide at half its resolution."""
    noise = np.random.default_rng(1).normal(
        size=(frame.height // REDUCTION, frame.width // REDUCTION)
    )
    return np.clip(128 + 300 * gaussian_filter(noise, 3), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_documented_code_warps_as_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrated: bool
) -> None:
    registration = solved(calibrated=calibrated)
    fixed, moving = registration.fixed, registration.moving
    registration.save(tmp_path)
    for name, frame in (("fixed", fixed), ("moving", moving)):
        PIL.Image.fromarray(texture(frame)).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block, names)

    grids = [frame.at_mpp(frame.mpp[0] * REDUCTION) for frame in (moving, fixed)]
    ours, valid = warp_array(texture(moving)[None], grids[0], registration.transform, grids[1])
    theirs = SimpleITK.GetArrayFromImage(names["warped"]).astype(float)
    inner = valid & (theirs < 255)
    assert inner.mean() > 0.4
    assert np.abs(ours[0] - theirs)[inner].max() <= 3
    expected = moving.to_px(registration.transform(fixed.to_um(np.array([[120.0, 80.0]]))))[0]
    assert names["on_moving"] == pytest.approx(tuple(expected), abs=1e-6)
    assert (tmp_path / "transform_3d.h5").is_file()


def test_the_report_shows_the_documented_code() -> None:
    template = (ROOT / "src" / "stainbridge" / "report" / "template.html").read_text(
        encoding="utf-8"
    )
    assert BLOCKS[0].strip() in html.unescape(template)
