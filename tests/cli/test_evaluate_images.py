from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from tests.cli.test_warp import error_of
from tests.nn.test_lpips import write_alexnet

from stainbridge.cli.main import run
from stainbridge.metrics.images import score_images
from stainbridge.metrics.stains import score_dab

Array = np.ndarray[Any, Any]


def picture(seed: int, height: int = 60, width: int = 80) -> Array:
    """(H, W, 3) uint8, smooth."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = gaussian_filter(noise, (2, 2, 0))
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


A = picture(1)
B = (0.6 * A + 0.4 * picture(2)).astype(np.uint8)


def saved(path: Path, pixels: Array) -> str:
    PIL.Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    return [saved(tmp_path / "a.png", A), saved(tmp_path / "b.png", B)]


def planes(pixels: Array) -> Array:
    return np.moveaxis(pixels, -1, 0)


def facts_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["evaluate", "images", *arguments, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_the_numbers_are_those_of_the_pictures(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(pair, capsys)
    expected = score_images(planes(A), planes(B))
    assert (facts["a"], facts["width"], facts["height"], facts["pixels"]) == (pair[0], 80, 60, 4800)
    for name in ("ncc", "local_ncc", "nmi", "ssim_uniform7", "ssim_gaussian11", "psnr_db", "rmse"):
        assert facts[name] == pytest.approx(getattr(expected, name))
    assert "dab" not in facts


def test_a_mask_of_any_resolution_chooses_what_is_compared(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = np.zeros((30, 40), np.uint8)
    half[:, :20] = 255
    facts = facts_of([*pair, "--mask", saved(tmp_path / "mask.png", half)], capsys)
    inside = np.arange(80) < 40
    expected = score_images(planes(A), planes(B), np.broadcast_to(inside, (60, 80)))
    assert facts["pixels"] == 60 * 40
    assert facts["rmse"] == pytest.approx(expected.rmse)


def test_brown_is_compared_when_asked_for(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of([*pair, "--dab"], capsys)
    assert facts["dab"]["mean_density_b"] == pytest.approx(
        score_dab(planes(A), planes(B)).mean_density_b
    )
    assert run(["evaluate", "images", *pair, "--dab"]) == 0
    assert "DAB area Dice" in capsys.readouterr().out


def test_equal_pictures_have_no_finite_psnr(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of([pair[0], pair[0]], capsys)
    assert (facts["psnr_db"], facts["rmse"]) == (None, 0)


def test_colour_is_compared_with_grey_by_its_mean(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = np.rint(A.mean(axis=2)).astype(np.uint8)
    arguments = [pair[0], saved(tmp_path / "grey.png", grey)]
    assert run(["evaluate", "images", *arguments]) == 2
    assert "same size and channels" in capsys.readouterr().err
    assert facts_of([*arguments, "--grey"], capsys)["rmse"] == 0


def test_both_are_shrunk_together(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of([*pair, "--longest", "40"], capsys)
    assert (facts["width"], facts["height"]) == (40, 30)
    blocks = [x.reshape(30, 2, 40, 2, 3).mean((1, 3)) for x in (A, B)]
    assert facts["rmse"] == pytest.approx(np.sqrt(np.mean((blocks[0] - blocks[1]) ** 2)), abs=0.5)


def test_floating_pixels_are_given_their_span(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / name) for name in ("a.tif", "b.tif")]
    for path, pixels in zip(paths, (A, B), strict=True):
        tifffile.imwrite(path, (pixels / 255).astype(np.float32), photometric="rgb", metadata=None)
    assert run(["evaluate", "images", *paths]) == 2
    assert "span" in capsys.readouterr().err
    facts = facts_of([*paths, "--span", "1"], capsys)
    assert facts["psnr_db"] == pytest.approx(score_images(planes(A), planes(B)).psnr_db, rel=1e-4)


def test_the_table_names_both_kinds_of_ssim(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "images", *pair]) == 0
    out = capsys.readouterr().out
    assert out.startswith("80 x 60 px, 4800 of them compared; values span 255")
    assert "SSIM 7x7 uniform" in out
    assert "SSIM 11x11 Gaussian" in out


def test_other_sizes_and_large_pictures_are_refused(
    pair: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(["evaluate", "images", pair[0], saved(tmp_path / "small.png", A[:-1])]) == 2
    message = capsys.readouterr().err
    assert f"expected 80 x 60 as {pair[0]}; got 80 x 59" in message
    assert message.count("\n") == 1
    monkeypatch.setattr("stainbridge.jobs.files.picture_pairs.MOST_PIXELS", 1000)
    assert run(["evaluate", "images", *pair]) == 2
    assert "add --longest" in capsys.readouterr().err
    assert run(["evaluate", "images", *pair, "--longest", "30"]) == 0


def test_different_pixel_sizes_are_mentioned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / name) for name in ("a.ome.tif", "b.ome.tif")]
    for path, mpp in zip(paths, (0.25, 0.5), strict=True):
        metadata = {"axes": "YXS", "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
        tifffile.imwrite(path, A, ome=True, photometric="rgb", metadata=metadata)
    assert run(["evaluate", "images", *paths]) == 0
    assert "pixel sizes differ, 0.25 and 0.5 µm" in capsys.readouterr().err


def test_the_same_section_in_two_stains_is_alike_where_it_is_valid(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data / "restained_he_ihc"
    he, ihc = (
        folder / "raw" / "merkel_ki67_546_he.png",
        folder / "aligned" / "merkel_ki67_546_ihc.png",
    )
    valid = folder / "aligned" / "merkel_ki67_546_valid.png"
    aligned = facts_of([str(he), str(ihc), "--mask", str(valid)], capsys)
    raw = facts_of(
        [str(he), str(folder / "raw" / "merkel_ki67_546_ihc.png"), "--mask", str(valid)], capsys
    )
    for name in ("ncc", "local_ncc", "nmi", "ssim_uniform7", "ssim_gaussian11"):
        assert aligned[name] > raw[name]


def test_perceptual_distances_when_weights_are_given(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "lpips" not in facts_of(pair, capsys)
    write_alexnet(tmp_path)
    assert set(facts_of([*pair, "--lpips", str(tmp_path)], capsys)["lpips"]) == {"alex"}
    same = facts_of([pair[0], pair[0], "--lpips", str(tmp_path)], capsys)
    assert same["lpips"] == {"alex": 0}
    assert run(["evaluate", "images", *pair, "--lpips", str(tmp_path)]) == 0
    assert "LPIPS alex" in capsys.readouterr().out


def test_perceptual_distances_are_of_whole_pictures_and_need_weights(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = saved(tmp_path / "mask.png", np.full((60, 80), 255, np.uint8))
    assert "no LPIPS weights" in error_of(
        ["evaluate", "images", *pair, "--lpips", str(tmp_path)], capsys
    )
    write_alexnet(tmp_path)
    arguments = ["evaluate", "images", *pair, "--lpips", str(tmp_path), "--mask", mask]
    assert "LPIPS compares whole pictures" in error_of(arguments, capsys)


def test_pictures_of_other_channels_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colour, grey = tmp_path / "colour.png", tmp_path / "grey.png"
    PIL.Image.new("RGB", (40, 30)).save(colour)
    PIL.Image.new("L", (40, 30)).save(grey)
    assert run(["evaluate", "images", str(colour), str(grey)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {grey}: the pictures do not have the same")
