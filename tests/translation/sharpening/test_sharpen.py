"""Sharpening: trained, read, and applied to slides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from tests.slides.memory_slide import draw_texture
from tests.translation.inference.test_apply import quiet

from stainbridge.datasets.generated_squares import GeneratedSquares
from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.weights import copy_weights, read_weights, write_weights
from stainbridge.nn.perceptual import PerceptualConfig
from stainbridge.nn.rrdb_generator import RRDBConfig, RRDBGenerator
from stainbridge.nn.vgg_discriminator import VGGDiscriminatorConfig
from stainbridge.settings import build
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.translation.inference.apply import ApplyConfig
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.sharpening.config import SharpenConfig, SharpenTraining
from stainbridge.translation.sharpening.sharpen import Sharpening, read_sharpening, sharpen_slide
from stainbridge.translation.sharpening.stream import SharpenStream, SlideSquares, downsample
from stainbridge.translation.sharpening.task import SharpenPair, SharpenTask
from stainbridge.types import Pixels

TINY = SharpenConfig(
    RRDBConfig(width=8, growth=4, blocks=1, factor=2, skip=True),
    VGGDiscriminatorConfig(width=4, halvings=3),
    PerceptualConfig(width=4, layers=(1,), activated=False),
    warm_up_steps=2,
    optimiser=AdamConfig(5e-3, steady_steps=500),
)
CONFIG = TrainConfig(4, 2, workers=0, validation_samples=2, device="cpu", validate_every=2)


@dataclass(frozen=True)
class Grain:
    """Fine blobs."""

    seed: int = 0

    def __getitem__(self, number: int) -> Pixels:
        noise = np.random.default_rng([self.seed, number]).normal(size=(3, 32, 32))
        blobs = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in noise])
        return np.clip(128 + 45 * blobs / blobs.std(), 0, 255).astype(np.uint8)


def run(
    folder: Path, steps: int = 4, config: SharpenConfig = TINY, *, resume: bool = False
) -> Path:
    folder.mkdir(exist_ok=True)
    data = TrainingData(SharpenStream(Grain(0), 2), SharpenStream(Grain(1), 2))
    train(lambda: SharpenTask(config), data, replace(CONFIG, steps=steps), folder, resume=resume)
    return folder


def test_it_learns_to_sharpen(tmp_path: Path) -> None:
    """A few steps of L1 beat bicubic interpolation."""
    run(tmp_path / "run", 60, replace(TINY, warm_up_steps=100))
    task = SharpenTask(TINY)
    copy_weights(read_weights(tmp_path / "run" / "last.safetensors"), task.networks)
    samples = [SharpenStream(Grain(1), 2)[number] for number in range(4)]
    batch = SharpenPair(
        torch.stack([sample.coarse for sample in samples]),
        torch.stack([sample.fine for sample in samples]),
    )
    with torch.no_grad():
        measured, picture = task.measure(batch), task.picture(batch)
    assert measured["psnr_db"] > measured["psnr_bicubic_db"] + 0.5
    assert picture.shape == (4 * 32, 4 * 32, 3)


def test_the_discriminator_learns_only_after_warming_up(tmp_path: Path) -> None:
    judges = [
        {
            k: v
            for k, v in read_weights(run(tmp_path / str(n), n) / "last.safetensors").tensors.items()
            if "judge" in k
        }
        for n in (0, 2, 4)
    ]
    weights = [key for key in judges[0] if key.endswith("weight")]
    assert all(torch.equal(judges[0][key], judges[1][key]) for key in weights)
    assert not any(torch.equal(judges[1][key], judges[2][key]) for key in weights)


def test_a_resumed_run_is_the_one_that_was_never_stopped(tmp_path: Path) -> None:
    whole = read_weights(run(tmp_path / "whole") / "last.safetensors").tensors
    run(tmp_path / "parts", 3)
    parts = read_weights(run(tmp_path / "parts", resume=True) / "last.safetensors").tensors
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_sharpening_is_read_and_others_are_refused(tmp_path: Path) -> None:
    model = read_sharpening(run(tmp_path / "run", config=replace(TINY, mpp=0.5)))
    assert (model.factor, model.channels, model.mpp, model.network.training) == (2, 3, 0.5, False)
    stored = read_weights(tmp_path / "run")
    write_weights(
        tmp_path / "other.safetensors", stored.tensors, {**stored.header, "task": "translate"}
    )
    with pytest.raises(InputError, match="expected sharpen; got translate"):
        read_sharpening(tmp_path / "other.safetensors")


def sharpening(mpp: float | None = None) -> Sharpening:
    torch.manual_seed(0)
    config = RRDBConfig(width=8, growth=4, blocks=1, factor=2, skip=True)
    return Sharpening(Path("run"), 2, 3, mpp, RRDBGenerator(config).eval().requires_grad_(False))


def test_a_sharpened_slide_has_finer_pixels_and_no_seams() -> None:
    slide = ArraySlide(draw_texture(3, 300, 340), 1.0, "s", "Ki67")
    sharpened = []
    for tile in (320, 1024):
        with sharpen_slide(slide, sharpening(), ApplyConfig(tile), quiet) as shown:
            assert (shown.frame.width, shown.frame.height, shown.frame.mpp) == (
                680,
                600,
                (0.5, 0.5),
            )
            assert shown.stain == "Ki67"
            sharpened.append(shown.read(shown.frame).pixels.astype(int))
        slide = ArraySlide(draw_texture(3, 300, 340), 1.0, "s", "Ki67")
    assert np.abs(sharpened[0] - sharpened[1]).max() <= 1
    small = slide.read(slide.frame).pixels.astype(float)
    assert np.abs(sharpened[0].reshape(3, 300, 2, 340, 2).mean((2, 4)) - small).mean() < 3


def test_a_crop_of_a_warped_slide_is_sharpened_where_it_lies() -> None:
    pixels = draw_texture(3, 200, 240)
    source = ArraySlide(pixels, 1.0)
    frame = Space("array", 200, 240).frame
    same = Affine(np.eye(3), frame.space, frame.space)
    with sharpen_slide(
        WarpedSlide(source, same, frame.crop(30, 20, 180, 170)), sharpening(), ApplyConfig(), quiet
    ) as shown:
        assert shown.frame.origin_um == (0.0, 0.0)
        part = shown.read(shown.frame.at_mpp(1.0)).pixels.astype(int)
    with sharpen_slide(ArraySlide(pixels, 1.0), sharpening(), ApplyConfig(), quiet) as shown:
        whole = shown.read(shown.frame.at_mpp(1.0)).pixels.astype(int)
    assert np.abs(part[:, 30:-30, 30:-30] - whole[:, 50:160, 60:180]).max() <= 1


def test_another_pixel_size_than_trained_is_said() -> None:
    lines: list[str] = []
    with sharpen_slide(
        ArraySlide(draw_texture(3, 64, 64), 2.0), sharpening(0.25), ApplyConfig(), lines.append
    ):
        assert lines == [
            "warning: the sharpening was trained to make 0.25 µm a pixel and is applied to make 1"
        ]


def test_glass_stays_white() -> None:
    slide = ArraySlide(draw_texture(3, 128, 128), 1.0)
    half = np.zeros((128, 128), np.float32)
    half[:, :64] = 1
    with sharpen_slide(
        slide, sharpening(), ApplyConfig(), quiet, TissueMap(half, slide.frame)
    ) as shown:
        pixels = shown.read(shown.frame).pixels
    assert (pixels[:, :, 132:] == 255).all()
    assert pixels[:, :, :120].mean() < 200


def test_reduced_tiles_are_what_a_file_would_hold() -> None:
    fine = torch.rand(3, 16, 16) * 2 - 1
    coarse = downsample(fine, 4)
    levels = (coarse + 1) * 127.5
    assert coarse.shape == (3, 4, 4)
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert torch.equal(downsample(torch.full((3, 8, 8), -1.0), 2), torch.full((3, 4, 4), -1.0))


def test_squares_of_files_hold_tissue(tmp_path: Path) -> None:
    pixels = np.full((400, 400, 3), 245, np.uint8)
    pixels[100:300, 100:300] = np.moveaxis(draw_texture(3, 200, 200), 0, -1) // 2
    PIL.Image.fromarray(pixels).save(tmp_path / "he.png")
    squares = SlideSquares([tmp_path / "he.png"], 32, seed=0)
    drawn = [squares[number] for number in range(8)]
    assert all(square.shape == (3, 32, 32) for square in drawn)
    assert np.mean([square.mean() < 200 for square in drawn]) > 0.8
    assert (drawn[3] == SlideSquares([tmp_path / "he.png"], 32, seed=0)[3]).all()
    with pytest.raises(
        InputError, match=r"he.png: smaller than a tile; expected 512; got 400 x 400"
    ):
        SlideSquares([tmp_path / "he.png"], 512, seed=0)[0]
    with pytest.raises(InputError, match="no slides or pictures"):
        SlideSquares([], 32, 0)


def test_generated_squares_are_always_the_same() -> None:
    squares = GeneratedSquares(32, 3, (1.0, 1.0))
    assert squares[5].shape == (3, 32, 32)
    assert (squares[5] == GeneratedSquares(32, 3, (1.0, 1.0))[5]).all()
    assert not (squares[5] == squares[6]).all()


def test_presets_and_what_does_not_fit() -> None:
    paper, small = SharpenTraining.preset("paper", 4), SharpenTraining.preset("small", 2)
    short = small.fit_to_steps(400)
    assert (
        short.train.steps,
        short.sharpen.optimiser.rate_factor(200),
        short.sharpen.optimiser.rate_factor(400),
    ) == (400, 1, 0)
    assert (paper.sharpen.tile_px, paper.sharpen.generator.blocks) == (128, 23)
    assert (small.sharpen.tile_px, small.sharpen.generator.factor) == (64, 2)
    with pytest.raises(InputError, match="differ in channels"):
        replace(TINY, discriminator=VGGDiscriminatorConfig(channels=1))
    with pytest.raises(InputError, match="out of range"):
        replace(TINY, adversarial_weight=-1)


def test_settings_of_version_0_1_0_load() -> None:
    old = {
        "sharpen": {"feature": 2.0, "adversarial": 3.0, "pixel": 4.0, "warm_steps": 5},
        "pixel_um": [0.25, 1.0],
    }
    settings = build(SharpenTraining, old, "old.yaml")
    assert settings == SharpenTraining(
        SharpenConfig(
            perceptual_weight=2.0, adversarial_weight=3.0, pixel_weight=4.0, warm_up_steps=5
        ),
        mpp_range=(0.25, 1.0),
    )
