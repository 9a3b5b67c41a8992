"""A trained translation on whole slides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.slides.memory_slide import MemorySlide, draw_texture
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.imaging.tiles import TileGrid
from stainbridge.nn.generators import GeneratorConfig, build_generator
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.writing.write import write_slide
from stainbridge.translation.inference import apply
from stainbridge.translation.inference.apply import ApplyConfig, choose_frame, translate_slide
from stainbridge.translation.inference.inference import (
    Inference,
    OutOfMemoryError,
    halve_until_it_fits,
)
from stainbridge.translation.inference.model import Model
from stainbridge.translation.inference.network_slide import NetworkOutput, NetworkSlide
from stainbridge.translation.inference.slide_statistics import freeze_statistics
from stainbridge.translation.inference.tile_store import TileStore
from stainbridge.translation.inference.tiling import plan_axis
from stainbridge.translation.inference.tissue_map import TissueMap, read_tissue_tiles
from stainbridge.translation.objectives.pixels import pixels_to_tensor
from stainbridge.types import Pixels

INSTANCE = ResNetConfig(width=4, blocks=2)
BATCH = ResNetConfig(width=4, blocks=2, norm="batch")
UNET = UNetConfig(width=4, halvings=4)
TILE = 208


def model(config: GeneratorConfig = INSTANCE, mpp: float | None = None, seed: int = 0) -> Model:
    """An untrained one with strong contrasts."""
    torch.manual_seed(seed)
    network = build_generator(config)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight *= 4
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        network.train()(
            pixels_to_tensor(draw_texture(3, 64, 64))[None]
        )  # batch norms take its statistics
    network.eval().requires_grad_(False)
    return Model(Path("run"), "cyclegan", "HE", "Ki67", 3, 3, mpp, 64, network)


def texture(height: int = 400, width: int = 500, mpp: float | None = 0.5) -> ArraySlide:
    return ArraySlide(draw_texture(3, height, width), mpp, "texture.tif", "HE")


def quiet(line: str) -> None:
    raise AssertionError(line)


def glass() -> ApplyConfig:
    """Small tiles, and all of them."""
    return ApplyConfig(TILE, glass=True)


@pytest.mark.parametrize(
    ("config", "tiles"),
    [(INSTANCE, (TILE, 320)), (BATCH, (TILE, 320)), (UNET, (320, 400))],
    ids=["instance", "batch", "unet"],
)
def test_the_size_of_tiles_does_not_matter(config: GeneratorConfig, tiles: tuple[int, int]) -> None:
    translations = []
    for tile in tiles:
        with translate_slide(
            texture(), model(config, 0.5), ApplyConfig(tile, glass=True), quiet
        ) as shown:
            translations.append(shown.read(shown.frame).pixels.astype(int))
    assert translations[0].std() > 5
    assert np.abs(translations[0] - translations[1]).max() <= 1


def test_a_network_that_reaches_beyond_its_tiles_is_told_of() -> None:
    lines: list[str] = []
    with translate_slide(
        texture(), model(UNET, 0.5), ApplyConfig(128, glass=True), lines.append
    ) as small:
        near = small.read(small.frame).pixels.astype(int)
    with translate_slide(texture(), model(UNET, 0.5), ApplyConfig(400, glass=True), quiet) as large:
        exact = large.read(large.frame).pixels.astype(int)
    assert lines == [
        "note: the network reaches 64 px; tiles of 320 px or more would fit together exactly "
        "(--tile)"
    ]
    assert np.abs(near - exact).mean() < 1


def test_where_tiles_lie_does_not_matter() -> None:
    """On a slide that begins elsewhere, the same place is in another part of its tile."""
    frozen = frozen_model()
    pixels = draw_texture(3, 500, 620)
    shift = 76  # whole periods of the network, no whole tile
    translations = []
    for part in (pixels, np.ascontiguousarray(pixels[:, shift:, shift:])):
        with translate_slide(ArraySlide(part, 0.5), frozen, glass(), quiet) as shown:
            translations.append(shown.read(shown.frame).pixels.astype(int))
    inside = frozen.generator.reach
    first = translations[0][:, shift + inside :, shift + inside :]
    second = translations[1][:, inside:, inside:]
    assert first.std() > 5
    assert np.abs(first - second).max() <= 1


def frozen_model() -> Model:
    """A model without instance norms, whose contrasts are those of the textures."""
    plain = model(mpp=0.5)
    return replace(
        plain,
        generator=freeze_statistics(
            plain.generator, pixels_to_tensor(draw_texture(3, 64, 64))[None]
        ),
    )


def test_a_flat_field_stays_flat() -> None:
    """But for what the transposed convolutions draw into each of their periods."""
    flat = ArraySlide(np.full((3, 400, 500), 170, np.uint8), 0.5)
    with translate_slide(flat, frozen_model(), glass(), quiet) as shown:
        pixels = shown.read(shown.frame).pixels.astype(int)
    period = frozen_model().period
    assert np.abs(pixels[:, period:] - pixels[:, :-period]).max() <= 1
    assert np.abs(pixels[..., period:] - pixels[..., :-period]).max() <= 1


def test_colours_do_not_drift_from_tile_to_tile() -> None:
    """The same texture gives the same in tiles of little and of much tissue."""
    pixels = draw_texture(3, 384, 768)
    pixels[..., 384:] = 230
    pixels[:, :, 576:] = draw_texture(3, 384, 768)[:, :, :192]
    with translate_slide(ArraySlide(pixels, 0.5), model(mpp=0.5), glass(), quiet) as shown:
        made = shown.read(shown.frame).pixels.astype(int)
    reach = model().generator.reach
    first, second = (
        made[:, reach:-reach, reach : 192 - reach],
        made[:, reach:-reach, 576 + reach : 768 - reach],
    )
    assert first.std() > 5
    assert np.abs(first - second).max() <= 1


def test_reads_of_parts_are_parts_of_the_whole() -> None:
    with translate_slide(texture(), model(mpp=0.5), glass(), quiet) as shown:
        whole = shown.read(shown.frame).pixels
        part = shown.read(shown.frame.crop(77, 130, 211, 190)).pixels
    assert (part == whole[:, 130:320, 77:288]).all()


def test_written_slides_are_read_by_tiles_and_every_tile_is_made_once(tmp_path: Path) -> None:
    source = MemorySlide(draw_texture(3, 900, 1100))
    with translate_slide(source, frozen_model(), glass(), quiet) as shown:
        counted = Counted(shown._network)
        shown._network = counted
        del source.reads[:]
        write_slide(shown, tmp_path / "made.ome.tiff", tile=256)
        tiles = shown._grid.count
    assert len(counted.shapes) == tiles > 50
    assert max(frame.width * frame.height for frame in source.reads) <= TILE**2
    assert source.closed


class Counted:
    """Remembers what the network was asked."""

    def __init__(self, network: Callable[[Pixels], Pixels]) -> None:
        self.network = network
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, pixels: Pixels) -> Pixels:
        self.shapes.append(pixels.shape)
        return self.network(pixels)


def test_it_is_a_slide_of_the_target_stain() -> None:
    slide = texture()
    with translate_slide(slide, model(mpp=0.5), glass(), quiet) as shown:
        assert (shown.stain, shown.info.is_rgb, shown.info.reader) == (
            "Ki67",
            True,
            "translated array",
        )
        assert shown.frame == slide.frame


def test_glass_is_white_and_the_network_is_not_asked_there() -> None:
    pair = generate_pair(seed=3, size_px=800, mpp=4.0, moving_stain="Ki67")
    with translate_slide(pair.fixed, model(mpp=4.0), ApplyConfig(TILE), quiet) as shown:
        counted = Counted(shown._network)
        shown._network = counted
        whole = shown.read(shown.frame).pixels
        tiles = shown._grid.count
    assert (whole[:, :8] == 255).all()
    tissue = pair.fixed.read(pair.fixed.frame).pixels.mean(0) < 190
    assert (whole[:, tissue] < 255).any(0).mean() > 0.95
    assert 0 < len(counted.shapes) < tiles


def test_of_a_tile_the_box_around_its_tissue_is_computed() -> None:
    slide = texture()
    weight = np.zeros((40, 50), np.float32)
    weight[13:17, 22:31] = 1
    with translate_slide(slide, frozen_model(), ApplyConfig(512, glass=True), quiet) as shown:
        everywhere = shown.read(shown.frame).pixels.astype(int)
    with translate_slide(texture(), frozen_model(), ApplyConfig(512), quiet) as shown:
        shown._tissue = TissueMap(weight, slide.frame.at_mpp(5.0))
        counted = Counted(shown._network)
        shown._network = counted
        boxed = shown.read(shown.frame).pixels.astype(int)
    reach = shown._grid.down.margin
    assert len(counted.shapes) == 1
    assert max(counted.shapes[0][1:]) < 90 + 20 + 2 * reach + 2 * 4
    inside = (slice(None), slice(140, 160), slice(230, 300))
    assert np.abs(boxed - everywhere)[inside].max() <= 1
    assert boxed[inside].std() > 5
    assert (boxed[:, :100] == 255).all()
    assert (boxed[:, :, 330:] == 255).all()


def test_statistics_are_taken_of_tissue() -> None:
    weight = np.zeros((50, 100), np.float32)
    weight[:20, 60:] = 1
    slide = ArraySlide(draw_texture(3, 500, 1000))
    tissue = TissueMap(weight, slide.frame.at_mpp(10.0))
    tiles = read_tissue_tiles(slide, slide.frame, tissue, 100, 5, seed=1)
    whole = slide.read(slide.frame).pixels
    inside = [whole[:, y : y + 100, x : x + 100] for y in (0, 100) for x in (600, 700, 800, 900)]
    assert len(tiles) == 5
    assert all(any((tile == other).all() for other in inside) for tile in tiles)
    again = read_tissue_tiles(slide, slide.frame, tissue, 100, 5, seed=1)
    assert all((one == other).all() for one, other in zip(tiles, again, strict=True))
    nowhere = TissueMap(weight / 4, tissue.frame)
    assert len(read_tissue_tiles(slide, slide.frame, nowhere, 100, 5, seed=1)) == 1


def test_mixed_precision_errs_by_a_few_grey_levels() -> None:
    exact, mixed = (
        Inference(frozen_model().generator, 3, torch.device("cpu"), precision)(
            draw_texture(3, 64, 64)
        ).astype(int)
        for precision in ("32", "bf16")
    )
    assert exact.std() > 5
    assert 0 < np.abs(exact - mixed).mean() < 3


def test_the_nearest_level_is_read_and_others_are_resampled() -> None:
    slide = texture(512, 512, 0.25)
    assert choose_frame(slide, 0.5, None, quiet) == slide.levels[1]
    assert choose_frame(slide, 0.52, None, quiet) == slide.levels[1]
    assert choose_frame(slide, 0.7, None, quiet).width == round(512 * 0.25 / 0.7)


@pytest.mark.parametrize(
    ("trained", "wanted", "slide_mpp", "said"),
    [
        (0.25, None, 0.5, "another magnification: its pixels are 0.5 µm, wanted are 0.25"),
        (0.5, 1.0, 0.5, "trained at 0.5 µm a pixel and is applied at 1"),
        (None, None, 0.5, "the model does not say at what pixel size it was trained"),
        (0.5, None, None, "the slide does not say its pixel size"),
    ],
)
def test_another_magnification_is_said(
    trained: float | None, wanted: float | None, slide_mpp: float | None, said: str
) -> None:
    lines: list[str] = []
    choose_frame(texture(mpp=slide_mpp), trained, wanted, lines.append)
    assert len(lines) == 1
    assert said in lines[0]


def test_a_slide_of_other_channels_is_refused() -> None:
    slide = ArraySlide(np.zeros((2, 64, 64), np.uint8), 0.5, "two.tif")
    with pytest.raises(InputError, match=r"two.tif: wrong channels; expected 3 or grey; got 2"):
        translate_slide(slide, model(), ApplyConfig(), quiet)
    slide = ArraySlide(np.zeros((3, 64, 64), np.uint16), 0.5, "deep.tif")
    with pytest.raises(InputError, match=r"deep.tif: .*8 bits"):
        translate_slide(slide, model(), ApplyConfig(), quiet)


def test_a_grey_slide_is_shown_as_rgb() -> None:
    grey = draw_texture(1, 300, 300)
    made = []
    for pixels in (grey, np.repeat(grey, 3, axis=0)):
        with translate_slide(ArraySlide(pixels, 0.5), model(mpp=0.5), glass(), quiet) as shown:
            made.append(shown.read(shown.frame).pixels)
    assert (made[0] == made[1]).all()


def test_finished_tiles_are_not_computed_again(tmp_path: Path) -> None:
    store = TileStore.open(tmp_path / "tiles", {"of": 1})
    with translate_slide(texture(), model(mpp=0.5), glass(), quiet, lambda: store) as shown:
        whole = shown.read(shown.frame).pixels
        assert len(store) == shown._grid.count > 1

    def never(pixels: Pixels) -> Pixels:
        raise AssertionError

    with translate_slide(texture(), model(mpp=0.5), glass(), quiet, lambda: store) as again:
        again._network = never
        assert (again.read(again.frame).pixels == whole).all()


def test_tiles_of_another_key_are_removed(tmp_path: Path) -> None:
    store = TileStore.open(tmp_path / "tiles", {"of": 1})
    store.save("0-0", np.zeros((2, 2, 3), np.uint8))
    assert len(TileStore.open(tmp_path / "tiles", {"of": 1})) == 1
    assert len(TileStore.open(tmp_path / "tiles", {"of": 2})) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="not a folder of finished tiles"):
        TileStore.open(tmp_path / "mine", {})
    assert (tmp_path / "mine" / "precious.txt").exists()


def test_a_damaged_tile_is_named(tmp_path: Path) -> None:
    store = TileStore.open(tmp_path / "tiles", {})
    (tmp_path / "tiles" / "0-0.npy.zst").write_bytes(b"no")
    with pytest.raises(InputError, match=r"0-0.npy.zst: a damaged tile"):
        store.load("0-0")


class Hungry(nn.Module):
    """Doubles pixels; has memory for tiles of `most` px."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error = most, error

    def forward(self, pictures: Tensor) -> Tensor:
        if max(pictures.shape[-2:]) > self.most:
            raise self.error
        return pictures.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_tiles_and_says_so(error: Exception) -> None:
    pixels = draw_texture(3, 300, 300)
    lines: list[str] = []

    def attempt(tile_px: int) -> Pixels:
        axis = plan_axis(300, tile_px, 0, 1)
        run = Inference(Hungry(130, error), 3, torch.device("cpu"))
        with NetworkSlide(
            ArraySlide(pixels),
            ArraySlide(pixels).frame,
            run,
            TileGrid(axis, axis),
            NetworkOutput("x", 3, None, 2),
        ) as slide:
            return slide.read(slide.frame).pixels

    made = halve_until_it_fits(512, 128, attempt, lines.append)
    assert (made == pixels.repeat(2, 1).repeat(2, 2)).all()
    assert lines == [
        f"warning: out of memory; tiles of {side} px from now on" for side in (256, 128)
    ]
    with pytest.raises(OutOfMemoryError, match="--tile"):
        halve_until_it_fits(512, 256, attempt, lines.append)


def test_statistics_of_fewer_tiles_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def hungry(network: nn.Module, tiles: Tensor) -> nn.Module:
        counts.append(len(tiles))
        if len(tiles) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return freeze_statistics(network, tiles)

    monkeypatch.setattr(apply, "freeze_statistics", hungry)
    lines: list[str] = []
    with translate_slide(texture(1100, 1100), model(mpp=0.5), glass(), lines.append) as shown:
        assert shown.read(shown.frame.crop(0, 0, 50, 50)).pixels.std() > 5
    assert counts == [16, 8, 4]
    assert lines == [f"warning: out of memory; statistics are of {count} tiles" for count in (8, 4)]


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        Inference(Hungry(1, RuntimeError("shapes do not match")), 3, torch.device("cpu"))(
            np.zeros((3, 8, 8), np.uint8)
        )
