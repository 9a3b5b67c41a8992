"""One slide of a pair as a model translates it, at any resolution."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.slides.memory_slide import draw_texture
from torch import Tensor, nn

from stainbridge.api import score_landmarks
from stainbridge.errors import InputError
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.joint import synthesis
from stainbridge.joint.synthesis import (
    SyntheticSlide,
    choose_apply_config,
    choose_side,
    translate_pair,
)
from stainbridge.learn.named_weights import find_weights
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.apply import ApplyConfig, translate_slide
from stainbridge.translation.inference.model import Model, read_model

MPP = 1.0
CONFIG = ApplyConfig(tile_px=128, glass=True, device="cpu")


class Exchange(nn.Module):
    """Exchanges and inverts the channels; counts the pixels that it is shown."""

    period = 4
    reach = 0

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1), requires_grad=False)
        self.shown_px = 0

    def __deepcopy__(self, memo: object) -> Exchange:
        """Return itself: copies that are made for inference count here too."""
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        self.shown_px += pictures[:, 0].numel()
        return -self.one * pictures.flip(1)


class White(Exchange):
    """Returns white."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.ones_like(pictures)


def make_model(generator: nn.Module | None = None, reverse: nn.Module | None = None) -> Model:
    return Model(
        Path("run"),
        "",
        "H&E",
        "Ki67",
        3,
        3,
        MPP,
        64,
        generator or Exchange(),
        reverse,  # type: ignore[arg-type]
    )


def make_slide(stain: str | None = "HE", side: int = 400, channels: int = 3) -> ArraySlide:
    return ArraySlide(draw_texture(channels, side, side), MPP, "a.tif", stain)


@pytest.fixture
def no_slide_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small slides are translated as large ones are, with few and small samples."""
    monkeypatch.setattr(synthesis, "SMALL_PX", 0)
    monkeypatch.setattr(synthesis, "SAMPLED_PX", 64)
    monkeypatch.setattr(synthesis, "SAMPLED_TILES", 4)


def test_it_is_the_slide_in_another_stain() -> None:
    slide = make_slide()
    synthetic = SyntheticSlide(slide, make_model(), CONFIG)
    assert isinstance(synthetic, Slide)
    assert (synthetic.frame, synthetic.levels) == (slide.frame, slide.levels)
    assert synthetic.stain == "Ki67"
    assert synthetic.info.is_rgb


@pytest.mark.usefixtures("no_slide_is_small")
def test_reads_near_the_models_pixel_size_are_the_networks() -> None:
    slide = make_slide()
    synthetic = SyntheticSlide(slide, make_model(), CONFIG)
    network = translate_slide(slide, make_model(), CONFIG)
    for frame in (slide.frame, slide.frame.at_mpp(0.5), slide.frame.at_mpp(2.0)):
        np.testing.assert_array_equal(synthetic.read(frame).pixels, network.read(frame).pixels)


@pytest.mark.usefixtures("no_slide_is_small")
def test_a_coarse_read_shows_the_colours_of_the_translation_at_the_cost_of_the_samples() -> None:
    slide = make_slide(side=512)
    network = Exchange()
    synthetic = SyntheticSlide(slide, make_model(network), CONFIG)
    frame = slide.frame.at_mpp(8.0)
    coarse = synthetic.read(frame)
    assert coarse.frame == frame
    expected = 255.0 - slide.read(frame).pixels[::-1]
    assert np.abs(coarse.pixels - expected).max() < 3
    samples_px = synthesis.SAMPLED_TILES * synthesis.SAMPLED_PX**2
    assert network.shown_px == samples_px < slide.frame.height * slide.frame.width / 8
    synthetic.read(slide.frame.at_mpp(16.0))
    assert network.shown_px == samples_px


def test_a_small_slide_is_the_networks_however_coarse_the_read() -> None:
    slide = make_slide()
    synthetic = SyntheticSlide(slide, make_model(), CONFIG)
    frame = slide.frame.at_mpp(8.0)
    assert synthetic.is_small
    expected = translate_slide(slide, make_model(), CONFIG).read(frame).pixels
    np.testing.assert_array_equal(synthetic.read(frame).pixels, expected)


@pytest.mark.usefixtures("no_slide_is_small")
def test_reads_of_parts_equal_the_parts_of_a_whole_read_also_from_threads() -> None:
    slide = make_slide()
    whole_frame = slide.frame.at_mpp(4.0)
    whole = SyntheticSlide(slide, make_model(), CONFIG).read(whole_frame).pixels
    boxes = [(x, y, 50, 50) for x in (0, 50) for y in (0, 50)]
    lines: list[str] = []
    synthetic = SyntheticSlide(slide, make_model(), CONFIG, lines.append)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda box: synthetic.read(whole_frame.crop(*box)).pixels, boxes))
    for (x, y, width, height), part in zip(boxes, parts, strict=True):
        assert np.abs(part - whole[:, y : y + height, x : x + width].astype(int)).max() <= 1
    assert len(lines) == 1
    assert lines[0].startswith("note: reads coarser than 2 x 1 µm a pixel")


@pytest.mark.usefixtures("no_slide_is_small")
def test_glass_is_white() -> None:
    slide = generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy").fixed
    model = replace(make_model(), mpp=4.0)
    synthetic = SyntheticSlide(slide, model, choose_apply_config(model))
    whole = synthetic.read(slide.frame.at_mpp(16.0))
    assert whole.pixels[:, 0, 0].tolist() == [255, 255, 255]
    assert whole.pixels.min() < 200


@pytest.mark.usefixtures("no_slide_is_small")
def test_what_lies_beyond_the_slide_is_white_and_not_valid() -> None:
    """The model would make black of white."""
    slide = make_slide()
    synthetic = SyntheticSlide(slide, make_model(), CONFIG)
    whole = synthetic.read(slide.frame.at_mpp(4.0))
    beyond = synthetic.read(replace(whole.frame, origin_um=(-100.0, 0.0)))
    assert not beyond.valid[:, :25].any()
    assert (beyond.pixels[:, :, :25] == 255).all()
    assert np.abs(beyond.pixels[..., 25:] - whole.pixels[..., :75].astype(int)).max() <= 1


@pytest.mark.usefixtures("no_slide_is_small")
def test_a_copy_reads_equal_pixels_in_an_equal_space() -> None:
    slide = make_slide(side=200)
    with SyntheticSlide(slide, read_model(find_weights("he-panck")), CONFIG) as synthetic:
        copy = pickle.loads(pickle.dumps(synthetic))
        assert copy.frame == synthetic.frame
        for frame in (slide.frame.crop(20, 20, 40, 40), slide.frame.at_mpp(4.0)):
            np.testing.assert_array_equal(copy.read(frame).pixels, synthetic.read(frame).pixels)


@pytest.mark.parametrize(
    ("fixed", "moving", "side"),
    [
        ("HE", "Ki67", "fixed"),
        ("ki-67", "h&e", "moving"),
        (None, "he", "moving"),
        ("Ki67", None, "moving"),
        (None, "CD31", "fixed"),
        (None, None, "fixed"),
        ("HE", "HE", "fixed"),
    ],
)
def test_the_side_follows_the_stains_where_they_are_known(
    fixed: str | None, moving: str | None, side: str
) -> None:
    assert choose_side(make_slide(fixed), make_slide(moving), make_model()) == side


def test_the_side_follows_the_channels_where_stains_say_nothing() -> None:
    grey = make_slide(None, channels=2)
    assert choose_side(grey, make_slide(None), make_model()) == "moving"


def test_a_pair_has_one_translated_slide_and_one_as_it_is() -> None:
    fixed, moving = make_slide("HE"), make_slide("Ki67")
    pair = translate_pair(fixed, moving, make_model(), config=CONFIG)
    assert pair.side == "fixed"
    assert pair.moving is moving
    assert pair.translated is pair.fixed
    assert pair.fixed.stain == "Ki67"
    assert not pair.model.is_reversed


def test_the_model_is_reversed_for_a_slide_of_its_target_stain() -> None:
    fixed, moving = make_slide("CD31"), make_slide("Ki67")
    pair = translate_pair(fixed, moving, make_model(reverse=White()), "moving", CONFIG)
    assert pair.model.is_reversed
    assert pair.moving.stain == "H&E"
    with pytest.raises(InputError, match="does not translate Ki67 to H&E"):
        translate_pair(fixed, moving, make_model(), "moving", CONFIG)


def test_wrong_sides_and_channels_are_refused() -> None:
    with pytest.raises(InputError, match="no such side"):
        translate_pair(make_slide(), make_slide(), make_model(), "left")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="wrong channels"):
        translate_pair(make_slide(channels=2), make_slide(), make_model(), "fixed")


@pytest.mark.parametrize(
    ("slide_mpp", "model_mpp", "said"),
    [
        (1.0, 1.0, []),
        (0.5, 1.0, []),
        (1.0, None, ["the model does not know its pixel size"]),
        (None, 1.0, ["the pixel size of the slide to translate is not known"]),
        (4.0, 1.0, ["has 4 µm a pixel, coarser than the model's 1; its pixels are enlarged"]),
    ],
)
def test_pixels_unlike_those_of_the_training_are_said(
    slide_mpp: float | None, model_mpp: float | None, said: list[str]
) -> None:
    slide = ArraySlide(draw_texture(3, 64, 64), slide_mpp, "a.tif", "HE")
    lines: list[str] = []
    SyntheticSlide(slide, replace(make_model(), mpp=model_mpp), CONFIG, lines.append)
    assert len(lines) == len(said)
    assert all(text in line for text, line in zip(said, lines, strict=True))


def test_the_record_tells_the_models_file_from_another() -> None:
    slide = make_slide(side=64)
    described = translate_pair(slide, slide, read_model(find_weights("he-panck"))).describe()
    assert described["side"] == "fixed"
    assert (described["source"], described["target"]) == ("HE", "PanCK")
    assert len(described["sha256"]) == 64


def test_the_registration_sees_the_translation_and_is_of_the_slides_themselves() -> None:
    pair = generate_pair(seed=3, size_px=128, mpp=4.0, difficulty="easy")
    config = RegisterConfig.preset("fast").with_options(device="cpu", threads=1)
    model = replace(make_model(White()), mpp=4.0)
    blank = translate_pair(pair.fixed, pair.moving, model, "fixed")
    registration = register_slides(blank.fixed, blank.moving, config)
    assert registration.fixed == pair.fixed.frame
    assert registration.reason == "no tissue found on the fixed slide"


@pytest.mark.slow
def test_a_real_pair_registers_through_a_translation_that_never_saw_one(real_data: Path) -> None:
    folder = real_data / "rat_kidney"
    stems = ("Rat-Kidney_HE", "Rat-Kidney_PanCytokeratin")
    marks = [read_points_csv(folder / "landmarks" / f"{stem}.csv")[0] for stem in stems]
    fixed, moving = (open_slide(folder / "images" / f"{stem}.jpg", mpp=5.0) for stem in stems)
    with fixed, moving:
        pair = translate_pair(fixed, moving, read_model(find_weights("he-panck")))
        registration = register_slides(pair.fixed, pair.moving, RegisterConfig.preset("fast"))
    scores = score_landmarks(registration, *marks)
    assert scores.before.rtre.median > 0.015
    assert scores.after.rtre.median < 0.004
