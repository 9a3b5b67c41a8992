"""Slides as OME-Zarr: read by zarr and by our own reader; streamed; whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.slides.memory_slide import MemorySlide, draw_texture
from tests.slides.writing.test_write import FLUORESCENCE, Broken, compute_levels, make_rgb_slide

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Channel
from stainbridge.slides.warped import WarpedSlide
from stainbridge.slides.writing.write import write_slide

ONE_EACH = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_image(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return the OME metadata, and the pixels (C, H, W) of each level."""
    group = zarr.open_group(path, mode="r", zarr_format=3)
    ome: Any = group.attrs["ome"]
    paths = [level["path"] for level in ome["multiscales"][0]["datasets"]]
    return ome, [np.asarray(group[path][:]) for path in paths]  # type: ignore[index]


@pytest.mark.parametrize("compression", [None, "zstd", "deflate", "none"])
@pytest.mark.parametrize("kind", ["rgb", "fluorescence"])
def test_zarr_reads_exact_means(tmp_path: Path, compression: Any, kind: str) -> None:
    slide = make_rgb_slide(700, 1300)
    if kind == "fluorescence":
        slide = MemorySlide(draw_texture(5, 200, 333, np.uint16), channels=FLUORESCENCE)
    write_slide(slide, tmp_path / "a.zarr", compression=compression, tile=64, threads=2)
    _, levels = read_image(tmp_path / "a.zarr")
    expected = compute_levels(slide, 64)
    assert len(levels) == len(expected)
    for stored, wanted in zip(levels, expected, strict=True):
        np.testing.assert_array_equal(stored, np.moveaxis(wanted, -1, 0))


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    count=st.integers(1, 4),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]),
)
@ONE_EACH
def test_any_size_type_and_number_of_channels_comes_back(
    tmp_path: Path, height: int, width: int, count: int, dtype: str
) -> None:
    pixels = draw_texture(count, 200, 200, np.dtype(dtype).type)[:, :height, :width]
    channels = tuple(Channel(f"marker {i}", (i, 2 * i, 255)) for i in range(count))
    slide = MemorySlide(pixels, mpp=(0.25, 0.5), channels=channels)
    path = tmp_path / "a.ome.zarr"
    write_slide(slide, path, tile=16, overwrite=True)
    with open_slide(path) as opened:
        assert opened.frame.mpp == (0.25, 0.5)
        assert opened.info.channels == channels
        assert opened.info.dtype == np.dtype(dtype)
        assert not opened.info.warnings
        np.testing.assert_array_equal(opened.read(opened.frame).pixels, pixels)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_a_colour_picture_is_rgb_again_in_all_levels(tmp_path: Path) -> None:
    slide = make_rgb_slide()
    write_slide(slide, tmp_path / "a.zarr", tile=64)
    with open_slide(tmp_path / "a.zarr") as opened:
        assert opened.info.is_rgb
        assert opened.info.format == "OME-Zarr"
        assert len(opened.levels) == 4
        np.testing.assert_array_equal(opened.read(opened.frame).pixels, slide.pixels)
        coarse = opened.levels[2]
        np.testing.assert_array_equal(
            np.moveaxis(opened.read(coarse).pixels, 0, -1), compute_levels(slide, 64)[2]
        )
    ome, _ = read_image(tmp_path / "a.zarr")
    assert [channel["label"] for channel in ome["omero"]["channels"]] == ["R", "G", "B"]
    assert [channel["color"] for channel in ome["omero"]["channels"]] == [
        "FF0000",
        "00FF00",
        "0000FF",
    ]


def test_metadata_is_that_of_ngff(tmp_path: Path) -> None:
    pixels = draw_texture(5, 200, 333, np.uint16)
    slide = MemorySlide(pixels, mpp=(0.25, 0.5), channels=FLUORESCENCE)
    write_slide(slide, tmp_path / "a.zarr", tile=64)
    ome, levels = read_image(tmp_path / "a.zarr")
    assert ome["version"] == "0.5"
    scales = ome["multiscales"][0]
    assert scales["name"] == "HE"
    assert scales["axes"] == [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    transforms = [level["coordinateTransformations"] for level in scales["datasets"]]
    assert transforms[0] == [
        {"type": "scale", "scale": [1.0, 0.5, 0.25]},
        {"type": "translation", "translation": [0.0, 0.0, 0.0]},
    ]
    # The centre of a pixel of level 2 lies amid 4 x 4 pixels.
    assert transforms[2] == [
        {"type": "scale", "scale": [1.0, 2.0, 1.0]},
        {"type": "translation", "translation": [0.0, 0.75, 0.375]},
    ]
    channels = ome["omero"]["channels"]
    assert [channel["label"] for channel in channels] == [c.name for c in FLUORESCENCE]
    assert [c["color"] for c in channels] == ["0000FF", "00FF00", "FFFFFF", "FF0000", "FFFFFF"]
    for channel, plane in zip(channels, levels[-1], strict=True):
        assert channel["window"] == {
            "min": 0,
            "max": 65535,
            "start": float(plane.min()),
            "end": float(plane.max()),
        }
    array = zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")
    assert array.metadata.dimension_names == ("c", "y", "x")  # type: ignore[union-attr]


def test_an_uncalibrated_slide_has_no_unit(tmp_path: Path) -> None:
    write_slide(make_rgb_slide(calibrated=False), tmp_path / "a.zarr", tile=64)
    ome, _ = read_image(tmp_path / "a.zarr")
    assert all("unit" not in axis for axis in ome["multiscales"][0]["axes"])
    with open_slide(tmp_path / "a.zarr") as opened:
        assert not opened.frame.calibrated


def test_a_crop_is_moved_to_its_place(tmp_path: Path) -> None:
    slide = make_rgb_slide(300, 500)
    part = slide.frame.crop(130, 70, 200, 150)
    identity = Affine(np.eye(3), slide.frame.space, slide.frame.space)
    write_slide(WarpedSlide(slide, identity, part), tmp_path / "a.zarr", tile=64)
    ome, _ = read_image(tmp_path / "a.zarr")
    scale, place = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert place["translation"] == pytest.approx([0, 70 * 0.2528, 130 * 0.2528])
    assert scale["scale"] == pytest.approx([1, 0.2528, 0.2528])


def test_values_that_are_not_finite_do_not_spoil_the_metadata(tmp_path: Path) -> None:
    pixels = np.full((2, 40, 40), np.nan, np.float32)
    pixels[0, 5:9] = 3
    pixels[0, 20:] = np.inf
    slide = MemorySlide(pixels, channels=(Channel("a"), Channel("b")))
    write_slide(slide, tmp_path / "a.zarr", tile=64)
    json.loads((tmp_path / "a.zarr" / "zarr.json").read_text(), parse_constant=pytest.fail)
    _, levels = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(levels[0], pixels)


def test_tiles_lie_in_few_files_and_background_in_none(tmp_path: Path) -> None:
    pixels = np.full((3, 2048, 2048), 255, np.uint8)
    pixels[:, 600:1000, 100:200] = draw_texture(3, 400, 100)
    write_slide(MemorySlide(pixels), tmp_path / "a.zarr", tile=64)
    shards = [path for path in (tmp_path / "a.zarr" / "0" / "c").rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path / "a.zarr" / "0" / "c").as_posix() for path in shards] == [
        "0/1/0"
    ]
    _, levels = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(levels[0], pixels)


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    slide = make_rgb_slide(700, 1300)
    contents = []
    for threads in (1, 4):
        folder = tmp_path / str(threads)
        folder.mkdir()
        write_slide(slide, folder / "a.zarr", tile=64, threads=threads)
        contents.append(
            {
                path.relative_to(folder): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
        )
    assert contents[0] == contents[1]


@pytest.mark.parametrize("error", [InputError("unreadable"), KeyboardInterrupt(), MemoryError()])
def test_a_failure_leaves_nothing_and_the_old_image(tmp_path: Path, error: BaseException) -> None:
    old = make_rgb_slide(100, 100)
    write_slide(old, tmp_path / "a.zarr", tile=64)
    slide = Broken(make_rgb_slide().pixels)
    slide.error = error
    with pytest.raises(type(error)):
        write_slide(slide, tmp_path / "a.zarr", tile=64, threads=2, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr")[1][0], old.pixels)
    with pytest.raises(type(error)):
        write_slide(slide, tmp_path / "b.zarr", tile=64, threads=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_only_a_zarr_is_replaced_and_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_slide(make_rgb_slide(700, 1300), path, tile=64)
    new = make_rgb_slide(90, 80)
    with pytest.raises(InputError, match="exists already"):
        write_slide(new, path, tile=64)
    write_slide(new, path, tile=64, overwrite=True)
    np.testing.assert_array_equal(read_image(path)[1][0], new.pixels)
    assert not (path / "1" / "c" / "0" / "1").exists()
    shutil.rmtree(path)
    path.mkdir()
    (path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is a folder"):
        write_slide(new, path, overwrite=True)
    assert (path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.zarr", {"file_format": "tiff"}, r"a\.zarr: an OME-Zarr, and nothing else, ends in"),
        ("a.tiff", {"file_format": "ome-zarr"}, r"a\.tiff: an OME-Zarr, and nothing else"),
        ("a.zarr", {"compression": "jpeg"}, "not written with this compression"),
        ("a.zarr", {"tile": 100}, "multiple of 16"),
    ],
)
def test_impossible_options_are_input_errors(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_slide(make_rgb_slide(), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", ["zstd", "deflate", "none"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@ONE_EACH
def test_a_changed_bit_of_a_shard_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, compression: Any, place: float, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("shard")
    slide = make_rgb_slide(60, 70)
    write_slide(slide, folder / "a.zarr", compression=compression, tile=64)
    shard = folder / "a.zarr" / "0" / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    shard.write_bytes(data)
    with open_slide(folder / "a.zarr") as opened, pytest.raises(InputError, match="a tile cannot"):
        opened.read(opened.frame)


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.tiff", "a.tiff"])
def test_what_is_to_be_added_is_there_when_the_slide_appears(tmp_path: Path, name: str) -> None:
    seen = []

    def finish(path: Path) -> None:
        seen.append(path)
        assert not (tmp_path / name).exists()
        assert (path / "zarr.json").is_file() if path.is_dir() else path.stat().st_size > 1000

    write_slide(make_rgb_slide(), tmp_path / name, tile=64, finish=finish)
    assert len(seen) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
