"""Files that can be read in one way only are read: JPEG 2000, CMYK, folders of DICOM."""

from __future__ import annotations

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.conftest import Array, texture

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.slide import Slide

RGB = texture(150, 230, 3)


def read_whole(slide: Slide) -> Array:
    """(H, W, C)."""
    return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


@pytest.mark.parametrize("container", ["jp2", "j2k"])
@pytest.mark.parametrize("depth", [8, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_2000(tmp_path: Path, container: str, depth: int, channels: int) -> None:
    path = tmp_path / f"a.{container}"
    picture = RGB if depth == 8 else RGB.astype(np.uint16) << (depth - 8)
    picture = picture[..., :channels]
    path.write_bytes(
        imagecodecs.jpeg2k_encode(
            picture.squeeze(), reversible=True, bitspersample=depth, codecformat=container
        )
    )
    with open_slide(path) as slide:
        assert slide.info.format == "JPEG 2000"
        assert slide.info.is_rgb is (depth == 8 and channels == 3)
        assert len(slide.levels) > 1
        np.testing.assert_array_equal(read_whole(slide), picture)


def test_jpeg_2000_with_alpha_is_shown_over_white(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:50, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.jp2", irreversible=False)
    with open_slide(tmp_path / "a.jp2") as slide:
        pixels = read_whole(slide)
    assert (pixels[:50] == 255).all()
    np.testing.assert_array_equal(pixels[50:], RGB[50:])


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_cut_jpeg_2000_is_refused(tmp_path: Path, share: float, depth: int) -> None:
    picture = RGB if depth == 8 else RGB.astype(np.uint16) * 257
    data = imagecodecs.jpeg2k_encode(picture, reversible=True, codecformat="jp2")
    (tmp_path / "a.jp2").write_bytes(data[: max(13, int(share * len(data)))])

    def read() -> None:
        with open_slide(tmp_path / "a.jp2") as slide:
            slide.read(slide.frame)

    with pytest.raises(InputError, match="damaged or truncated"):
        read()


@pytest.mark.parametrize("tile", [(64, 64), None])
@pytest.mark.parametrize("compression", ["zlib", None])
def test_a_cmyk_tiff_becomes_rgb(
    tmp_path: Path, tile: tuple[int, int] | None, compression: str | None
) -> None:
    cmyk = np.asarray(Image.fromarray(RGB).convert("CMYK")).copy()
    cmyk[..., 3] = np.random.default_rng(0).integers(0, 255, RGB.shape[:2])
    tifffile.imwrite(
        tmp_path / "a.tif", cmyk, photometric="separated", tile=tile, compression=compression
    )
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.info.is_rgb
        shown = read_whole(slide)
    expected = np.asarray(Image.fromarray(cmyk, "CMYK").convert("RGB"))
    assert np.abs(shown.astype(int) - expected).max() <= 1


def write_dicom(path: Path, series: str) -> None:
    """Write the beginning of a DICOM file, which names its series."""
    value = series.encode()
    element = b"\x20\x00\x0e\x00UI" + len(value).to_bytes(2, "little") + value
    path.write_bytes(bytes(128) + b"DICM" + element)


def test_a_folder_of_several_dicom_series_is_refused(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", "1.2.3")
    write_dicom(tmp_path / "b.dcm", "1.2.4")
    with pytest.raises(InputError, match="several DICOM series; expected one; got 2"):
        open_slide(tmp_path)
    (tmp_path / "b.dcm").unlink()
    with pytest.raises(InputError, match="not a readable"):
        open_slide(tmp_path)
    (tmp_path / "a.dcm").unlink()
    with pytest.raises(InputError, match="a folder is not a slide"):
        open_slide(tmp_path)


@pytest.mark.skipif("STAINBRIDGE_DATA" not in os.environ, reason="needs real DICOM files")
def test_a_folder_of_dicom_levels_is_one_slide(tmp_path: Path) -> None:
    source = Path(os.environ["STAINBRIDGE_DATA"]) / "slide_formats"
    for name in ("openslide_boxes_0.dcm", "openslide_boxes_1.dcm"):
        (tmp_path / name).symlink_to(source / name)
    (tmp_path / "notes.txt").write_text("not a level")
    write_dicom(tmp_path / "DICOMDIR", "1.2.3")
    with open_slide(tmp_path) as slide, open_slide(source / "openslide_boxes_0.dcm") as file:
        assert slide.levels[0].width == file.levels[0].width
        assert len(slide.levels) == len(file.levels)
        np.testing.assert_array_equal(read_whole(slide), read_whole(file))
