"""Translated and sharpened slides pickle by what made them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.slides.memory_slide import draw_texture
from tests.slides.test_pickling import read_in_child
from tests.translation.inference.test_apply import model, texture
from tests.translation.sharpening.test_sharpen import TINY
from tests.translation.tiny import tiny

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.translation.inference.apply import ApplyConfig, translate_slide
from stainbridge.translation.inference.model import Model, read_model
from stainbridge.translation.inference.network_slide import NetworkSlide
from stainbridge.translation.inference.tile_store import TileStore
from stainbridge.translation.objectives.table import make_task
from stainbridge.translation.sharpening.sharpen import read_sharpening, sharpen_slide
from stainbridge.translation.sharpening.task import SharpenTask

CONFIG = ApplyConfig(208, device="cpu", glass=True, seed=4)


@pytest.fixture
def cyclegan(tmp_path: Path) -> Model:
    """An untrained model of both directions, in a file."""
    torch.manual_seed(0)
    config = replace(tiny("cyclegan"), name="cyclegan", source="HE", target="Ki67", mpp=0.5)
    save_weights(tmp_path / "m.safetensors", make_task(config), Checkpoint(step=1000))
    return read_model(tmp_path / "m.safetensors")


def check_copies(slides: list[Slide], folder: Path) -> None:
    """Check that a child process reads the same of the slides, in the same spaces."""
    reads: list[tuple[Slide, Frame]] = [
        (slide, slide.frame.crop(20, 30, 200, 180)) for slide in slides
    ]
    answers = read_in_child(reads, folder)
    for (slide, frame), (info, stain, levels, image) in zip(reads, answers, strict=True):
        assert info == slide.info
        assert stain == slide.stain
        assert levels == slide.levels  # equal frames lie in equal spaces
        np.testing.assert_array_equal(image.pixels, slide.read(frame).pixels)  # type: ignore[attr-defined]


def test_a_translated_slide_is_translated_again_in_another_process(
    cyclegan: Model, tmp_path: Path
) -> None:
    source = texture()
    forward = translate_slide(source, cyclegan, CONFIG)
    backward = translate_slide(source, cyclegan.reverse(), CONFIG)
    assert forward.frame.space == source.frame.space
    assert backward.stain == "HE"
    check_copies([forward, backward], tmp_path)


@pytest.mark.slow
def test_a_sharpened_translation_too_with_its_tissue_and_finished_tiles(
    cyclegan: Model, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    save_weights(tmp_path / "s.safetensors", SharpenTask(TINY), Checkpoint(step=1000))
    sharpening = read_sharpening(tmp_path / "s.safetensors")
    open_store = partial(TileStore.open, tmp_path / "tiles", {"of": 1})
    config = replace(CONFIG, glass=False)
    translated = translate_slide(texture(), cyclegan, config, open_store=open_store)
    sharp = sharpen_slide(translated, sharpening, config, tissue=translated.tissue)
    check_copies([sharp], tmp_path)
    assert len(open_store()) > 0


def test_a_crop_gets_a_space_of_its_own_the_same_in_every_process(
    cyclegan: Model, tmp_path: Path
) -> None:
    source = ArraySlide(draw_texture(3, 300, 340), 0.5)
    same = Affine(np.eye(3), source.frame.space, source.frame.space)
    crop = WarpedSlide(source, same, source.frame.crop(30, 20, 260, 240))
    translated = translate_slide(crop, cyclegan, CONFIG)
    assert translated.frame.origin_um == (0.0, 0.0)
    assert translated.frame.space != source.frame.space
    check_copies([translated], tmp_path)


def test_a_slide_made_by_hand_and_a_closed_one_do_not_pickle(cyclegan: Model) -> None:
    slide = translate_slide(texture(), model(mpp=0.5), CONFIG)
    by_hand = NetworkSlide(slide, slide.frame, lambda pixels: pixels, slide._grid, slide._output)
    with pytest.raises(InputError, match="it is not known how the slide was made"):
        pickle.dumps(by_hand)
    slide.close()
    with pytest.raises(InputError, match="closed"):
        pickle.dumps(slide)
