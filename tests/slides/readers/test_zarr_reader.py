"""OME-Zarr and plain Zarr, as folders and zipped."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.conftest import MPP, Array, levels_of, texture, write_ngff

from stainbridge.errors import InputError
from stainbridge.slides import Slide, open_slide

RGB = texture(150, 230, 3)
DEEP = texture(150, 230, 4).astype(np.uint16) * 100


def read_whole(slide: Slide) -> Array:
    """(H, W, C)."""
    return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


def zip_folder(folder: Path, path: Path, inside: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, f"{inside}{file.relative_to(folder)}")
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("inside", ["", "image.zarr/"])
def test_a_zipped_image_is_read_without_unpacking(
    tmp_path: Path, version: str, inside: str
) -> None:
    write_ngff(tmp_path / "image.zarr", levels_of(DEEP, 2), version)
    path = zip_folder(tmp_path / "image.zarr", tmp_path / "image.zip", inside)
    with open_slide(path) as slide:
        assert slide.info.format == "OME-Zarr"
        assert slide.frame.mpp == (MPP, MPP)
        assert len(slide.levels) == 2
        assert slide.info.channels[0].colour == (0, 255, 0)
        np.testing.assert_array_equal(read_whole(slide), DEEP)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("shape", "channels", "is_rgb"),
    [
        ((150, 230), 1, False),
        ((150, 230, 3), 3, True),
        ((3, 150, 230), 3, False),
        ((1, 2, 5, 150, 230), 2, False),
    ],
)
def test_plain_arrays(
    tmp_path: Path, zarr_format: Any, shape: tuple[int, ...], channels: int, is_rgb: bool
) -> None:
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    chunks = tuple(min(n, 64) for n in shape)
    array = zarr.create_array(
        tmp_path / "a.zarr", data=data, chunks=chunks, zarr_format=zarr_format
    )
    assert array.shape == shape
    with open_slide(tmp_path / "a.zarr") as slide:
        assert (slide.frame.width, slide.frame.height) == (230, 150)
        assert len(slide.info.channels) == channels
        assert slide.info.is_rgb is is_rgb
        if len(shape) == 5:
            np.testing.assert_array_equal(read_whole(slide), np.moveaxis(data[0, :, 2], 0, -1))
            assert "z-stack of 5 planes: plane 3" in slide.info.warnings[0]
        elif len(shape) == 3 and shape[0] == 3:
            np.testing.assert_array_equal(read_whole(slide), np.moveaxis(data, 0, -1))
        else:
            np.testing.assert_array_equal(read_whole(slide), data.reshape(150, 230, -1))


def test_the_scale_of_the_whole_image_and_its_unit_count(tmp_path: Path) -> None:
    write_ngff(tmp_path / "a.zarr", levels_of(RGB, 2), "0.4")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    scales = group.attrs["multiscales"]
    assert isinstance(scales, list)
    for axis in scales[0]["axes"][1:]:
        axis["unit"] = "nanometer"
    scales[0]["coordinateTransformations"] = [{"type": "scale", "scale": [1.0, 2000.0, 2000.0]}]
    group.attrs["multiscales"] = scales
    with open_slide(tmp_path / "a.zarr") as slide:
        assert slide.frame.mpp == pytest.approx((0.5, 0.5))


def test_the_first_of_numbered_images_is_read(tmp_path: Path) -> None:
    zarr.open_group(
        tmp_path / "a.zarr", mode="w", zarr_format=2, attributes={"bioformats2raw.layout": 3}
    )
    write_ngff(tmp_path / "a.zarr" / "0", [RGB], "0.4")
    with open_slide(tmp_path / "a.zarr") as slide:
        np.testing.assert_array_equal(read_whole(slide), RGB)


def test_damaged_and_foreign_stores_are_refused(tmp_path: Path) -> None:
    write_ngff(tmp_path / "good.zarr", levels_of(RGB, 2), "0.4")
    shutil.copytree(tmp_path / "good.zarr", tmp_path / "lost.zarr")
    shutil.rmtree(tmp_path / "lost.zarr" / "1")
    with pytest.raises(InputError, match=r"lost\.zarr: a level is missing"):
        open_slide(tmp_path / "lost.zarr")
    shutil.copytree(tmp_path / "good.zarr", tmp_path / "text.zarr")
    (tmp_path / "text.zarr" / ".zgroup").write_text("not json")
    with pytest.raises(InputError, match=r"text\.zarr"):
        open_slide(tmp_path / "text.zarr")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(InputError, match="holds no Zarr"):
        open_slide(tmp_path / "other.zip")
    zarr.create_array(tmp_path / "line.zarr", data=np.zeros(5))
    with pytest.raises(InputError, match="2 to 5 axes"):
        open_slide(tmp_path / "line.zarr")


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    write_ngff(tmp_path / "a.zarr", [DEEP], "0.4")
    chunk = next(
        path
        for path in (tmp_path / "a.zarr" / "0").rglob("*")
        if path.is_file() and path.name != ".zarray"
    )
    chunk.write_bytes(b"nonsense")
    with (
        open_slide(tmp_path / "a.zarr") as slide,
        pytest.raises(InputError, match="level 0, tile at column"),
    ):
        slide.read(slide.frame)
