"""Pictures of tiles: what is grey or RGB in the end is read, whatever it is stored as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.datasets.picture_names import ENDINGS
from stainbridge.errors import InputError
from stainbridge.translation.training.picture_files import read_picture, read_size

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)
FEW = (PICTURE // 64) * 80


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "1"])
def test_opaque_pictures_are_read(tmp_path: Path, mode: str, ending: str) -> None:
    if (ending, mode) in {(".png", "CMYK"), (".bmp", "CMYK"), (".bmp", "LA")}:
        pytest.skip("there is no such file")
    picture = PIL.Image.fromarray(FEW).convert(mode)
    path = tmp_path / f"a{ending}"
    picture.save(path)
    shown = picture.convert("L" if mode in ("L", "LA", "1") else "RGB")
    expected = np.moveaxis(np.atleast_3d(np.asarray(shown)), -1, 0)
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert read_size(path) == (20, 24)


def test_a_cmyk_jpeg_is_read(tmp_path: Path) -> None:
    grey = PIL.Image.fromarray(np.full((24, 20, 3), 90, np.uint8))
    grey.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - 90).max() < 4
    assert read_size(tmp_path / "a.jpg") == (20, 24)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pictures_are_refused(tmp_path: Path, mode: str) -> None:
    picture = PIL.Image.fromarray(PICTURE).convert(mode)
    picture.putpixel((3, 4), (*picture.getpixel((3, 4))[:-1], 200))
    picture.save(tmp_path / "a.png")
    for read in (read_picture, read_size):
        with pytest.raises(InputError, match="a tile with transparent pixels"):
            read(tmp_path / "a.png")


def test_more_bits_are_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(PICTURE[..., 0].astype(np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="expected 8-bit grey or RGB"):
        read_size(tmp_path / "a.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "jp2", "tif", "bmp"])
def test_every_ending_of_a_tile_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    PIL.Image.new("RGB", (40, 30), (200, 100, 150)).save(path)
    assert path.suffix in ENDINGS
    assert read_size(path) == (40, 30)
    np.testing.assert_allclose(read_picture(path)[:, 15, 20], [200, 100, 150], atol=6)


@pytest.mark.parametrize("lost", [30, 400, 2000])
def test_a_jpeg_that_lacks_data_is_refused(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    PIL.Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: -2 - lost] + data[-2:])
    with pytest.raises(InputError, match="data is missing"):
        read_picture(path)
