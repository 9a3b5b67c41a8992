"""PNG, JPEG, BMP, WebP."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from tests.conftest import Array, texture

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.slides import Slide, open_slide
from stainbridge.slides.readers import raster_reader

RGB = texture(150, 230, 3)
GREY = RGB[..., 0]


def read_whole(slide: Slide) -> Array:
    """(H, W, C)."""
    return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


def save_picture(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp"])
def test_lossless_formats_are_exact(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    with open_slide(save_picture(tmp_path / name, Image.fromarray(RGB), **options)) as slide:
        assert slide.info.is_rgb
        np.testing.assert_array_equal(read_whole(slide), RGB)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg"])
def test_grey_stays_one_channel(tmp_path: Path, name: str) -> None:
    with open_slide(save_picture(tmp_path / name, Image.fromarray(GREY))) as slide:
        assert [channel.name for channel in slide.info.channels] == ["grey"]
        assert np.abs(read_whole(slide)[..., 0].astype(int) - GREY).mean() < 4


def test_black_and_white_is_0_and_255(tmp_path: Path) -> None:
    with open_slide(save_picture(tmp_path / "a.png", Image.fromarray(GREY > 180))) as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], np.where(GREY > 180, 255, 0))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_keeps_its_16_bits(tmp_path: Path, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, channels)).astype(np.uint16)
    if channels in (2, 4):
        deep[..., -1] = 65535
        deep[:10, :, -1] = 0
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep.squeeze()))
    colours = 1 if channels < 3 else 3
    with open_slide(tmp_path / "a.png") as slide:
        assert slide.info.dtype == np.uint16
        assert len(slide.info.channels) == colours
        pixels = read_whole(slide)
    np.testing.assert_array_equal(pixels[10:], deep[10:, :, :colours])
    if channels in (2, 4):
        assert (pixels[:10] == 65535).all()


def test_alpha_and_palettes(tmp_path: Path) -> None:
    clear = np.dstack([RGB, np.where(GREY > 180, 255, 0).astype(np.uint8)])
    with open_slide(save_picture(tmp_path / "a.png", Image.fromarray(clear))) as slide:
        np.testing.assert_array_equal(read_whole(slide), np.where(GREY[..., None] > 180, RGB, 255))
    with open_slide(
        save_picture(tmp_path / "la.png", Image.fromarray(np.ascontiguousarray(clear[..., [0, 3]])))
    ) as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], np.where(GREY > 180, GREY, 255))
    palette = Image.fromarray(RGB).quantize(16)
    with open_slide(save_picture(tmp_path / "p.png", palette)) as slide:
        assert slide.info.is_rgb
        np.testing.assert_array_equal(read_whole(slide), np.asarray(palette.convert("RGB")))
    with open_slide(save_picture(tmp_path / "t.png", palette, transparency=3)) as slide:
        shown = read_whole(slide)
    assert (shown[np.asarray(palette) == 3] == 255).all()


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    with open_slide(
        save_picture(tmp_path / "a.jpg", Image.fromarray(RGB).convert("CMYK"), quality=95)
    ) as slide:
        assert slide.info.is_rgb
        assert np.abs(read_whole(slide).astype(int) - RGB).mean() < 6


def test_an_exif_orientation_is_not_applied_and_said_so(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with open_slide(save_picture(tmp_path / "a.jpg", Image.fromarray(RGB), exif=exif)) as slide:
        assert (slide.frame.width, slide.frame.height) == (230, 150)
        assert "EXIF" in slide.info.warnings[0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_resolution_is_a_pixel_size_only_where_it_can_be(tmp_path: Path, name: str) -> None:
    with open_slide(save_picture(tmp_path / name, Image.fromarray(RGB), dpi=(300, 300))) as slide:
        assert not slide.frame.calibrated
        assert "300 dpi" in slide.info.warnings[0]
    with open_slide(
        save_picture(tmp_path / name, Image.fromarray(RGB), dpi=(25400, 25400))
    ) as slide:
        assert slide.frame.calibrated
        assert slide.frame.mpp[0] == pytest.approx(1.0, rel=1e-3)


def test_a_picture_too_large_to_hold_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(InputError, match=r"bomb\.png.*too large.*90000 x 90000"):
        open_slide(tmp_path / "bomb.png")


def test_a_picture_larger_than_pillows_own_limit_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name in ("a.png", "a.jpg", "a.bmp"):
        with open_slide(save_picture(tmp_path / name, Image.fromarray(RGB))) as slide:
            assert read_whole(slide).shape == RGB.shape


def test_it_is_decoded_once_and_only_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = raster_reader.RasterFile.decode

    def spy(self: raster_reader.RasterFile, level: int) -> Array:
        decoded.append(level)
        return decode(self, level)

    monkeypatch.setattr(raster_reader.RasterFile, "decode", spy)
    with open_slide(save_picture(tmp_path / "a.png", Image.fromarray(RGB))) as slide:
        assert decoded == []
        for longest in (50, 230, 64):
            slide.read(slide.frame.fit(longest))
    assert decoded == [0]


def test_low_resolutions_of_a_large_jpeg_come_from_a_smaller_decode_in_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = texture(603, 805, 3)
    path = save_picture(tmp_path / "a.jpg", Image.fromarray(picture), quality=95, subsampling=0)
    reads = []
    for limit in (raster_reader.DRAFT_PIXELS, 1):
        monkeypatch.setattr(raster_reader, "DRAFT_PIXELS", limit)
        with open_slide(path) as slide:
            reads.append([slide.read(level).pixels.astype(float) for level in slide.levels])
            slide.close()
    for halved, drafted in zip(*reads, strict=True):
        assert halved.shape == drafted.shape
        # the last column and row hold less than a whole block of the picture
        assert np.abs(halved - drafted)[:, :-1, :-1].mean() < 0.1 * halved.std()


def test_the_pyramid_of_an_odd_picture_keeps_places(tmp_path: Path) -> None:
    with open_slide(
        save_picture(tmp_path / "a.png", Image.fromarray(texture(151, 233, 1)[..., 0]))
    ) as slide:
        sizes = [(level.width, level.height, level.mpp[0]) for level in slide.levels]
        assert sizes == [(233, 151, 1), (117, 76, 2), (59, 38, 4)]
        fine = slide.read(slide.frame).pixels[0].astype(float)
        coarse = slide.read(Space("a", 37, 58, (4.0, 4.0)).frame).pixels[0]
    means = fine[:148, :232].reshape(37, 4, 58, 4).mean(axis=(1, 3))
    assert np.abs(coarse - means).max() <= 1
