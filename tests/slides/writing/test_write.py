from __future__ import annotations

import io
import resource
import struct
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openslide
import pytest
import pyvips
import tifffile
from tests.slides.memory_slide import MemorySlide, draw_texture

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Channel
from stainbridge.slides.writing.container import Directory, Tag, TiffContainer
from stainbridge.slides.writing.pyramid import Pyramid, halve
from stainbridge.slides.writing.write import write_slide

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tiffslide

FLUORESCENCE = (
    Channel("DAPI", (0, 0, 255)),
    Channel("CD3 α", (0, 255, 0)),
    Channel("membrane"),
    Channel("AF", (255, 0, 0)),
    Channel("x<y&z"),
)


def make_rgb_slide(height: int = 301, width: int = 517, **kwargs: Any) -> MemorySlide:
    # Near grey, so that JPEG's halved chroma does not dominate the tolerance.
    grey = draw_texture(1, height, width).astype(int)
    tint = draw_texture(3, height, width, seed=7).astype(int) // 16
    return MemorySlide((grey * 15 // 16 + tint).astype(np.uint8), mpp=(0.2528, 0.2528), **kwargs)


def compute_levels(slide: MemorySlide, tile: int) -> list[np.ndarray]:
    """Means of 2 x 2 pixels of the level before, rounded, (H, W, C)."""
    levels = [np.moveaxis(slide.pixels, 0, -1)]
    while max(levels[-1].shape[:2]) > tile:
        fine = levels[-1][: levels[-1].shape[0] // 2 * 2, : levels[-1].shape[1] // 2 * 2]
        mean = fine.reshape(fine.shape[0] // 2, 2, fine.shape[1] // 2, 2, -1).mean(axis=(1, 3))
        levels.append(
            np.floor(mean + 0.5).astype(fine.dtype)
            if fine.dtype.kind in "iu"
            else mean.astype(fine.dtype)
        )
    return levels


def read_levels(path: Path) -> list[np.ndarray]:
    with tifffile.TiffFile(path) as file:
        return [level.asarray() for level in file.series[0].levels]


@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_lossless_levels_are_exact_means(
    tmp_path: Path, file_format: Any, compression: Any
) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format=file_format, compression=compression, tile=64, threads=2)
    stored = read_levels(path)
    expected = compute_levels(slide, 64)
    assert len(stored) == 4
    for ours, wanted in zip(stored, expected, strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
@pytest.mark.parametrize(("quality", "tolerance"), [(85, 12), (95, 5)])
def test_jpeg_levels_are_close(
    tmp_path: Path, file_format: Any, quality: int, tolerance: int
) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format=file_format, compression="jpeg", quality=quality, tile=64)
    for ours, wanted in zip(read_levels(path), compute_levels(slide, 64), strict=True):
        difference = np.abs(ours.astype(int) - wanted)
        assert difference.max() <= 4 * tolerance
        assert difference.mean() <= tolerance / 2
    assert path.stat().st_size < slide.pixels.nbytes / 2


@pytest.mark.parametrize("compression", ["jpeg", "deflate", "zstd", "none"])
def test_openslide_sees_all_levels_of_a_plain_tiff(tmp_path: Path, compression: Any) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format="tiff", compression=compression, tile=64)
    with openslide.OpenSlide(path) as opened:
        assert opened.properties["openslide.vendor"] == "generic-tiff"
        assert opened.level_dimensions == ((517, 301), (258, 150), (129, 75), (64, 37))
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(0.2528, rel=1e-6)
        assert float(opened.properties["openslide.mpp-y"]) == pytest.approx(0.2528, rel=1e-6)
        region = np.asarray(opened.read_region((130, 70), 0, (200, 150)).convert("RGB")).astype(int)
    difference = np.abs(region - np.moveaxis(slide.pixels[:, 70:220, 130:330], 0, -1))
    assert difference.max() <= (40 if compression == "jpeg" else 0)
    assert difference.mean() <= (3 if compression == "jpeg" else 0)


def test_openslide_reads_the_full_resolution_of_an_ome_tiff(tmp_path: Path) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.ome.tiff"
    write_slide(slide, path, compression="deflate", tile=64)
    with openslide.OpenSlide(path) as opened:
        region = np.asarray(opened.read_region((0, 0), 0, opened.dimensions).convert("RGB"))
    np.testing.assert_array_equal(np.moveaxis(region, -1, 0), slide.pixels)


@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
def test_tiffslide_sees_levels_and_pixel_size(tmp_path: Path, file_format: Any) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format=file_format, tile=64)
    with tiffslide.TiffSlide(path) as opened:
        assert opened.level_dimensions == ((517, 301), (258, 150), (129, 75), (64, 37))
        assert opened.properties["tiffslide.mpp-x"] == pytest.approx(0.2528, rel=1e-6)
        region = opened.read_region((0, 0), 2, (129, 75), as_array=True)
    assert np.abs(region.astype(int) - compute_levels(slide, 64)[2]).mean() < 4


@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
@pytest.mark.parametrize("compression", ["jpeg", "deflate", "none"])  # pyvips' wheels know no zstd
def test_pyvips_reads_pixels_levels_and_pixel_size(
    tmp_path: Path, file_format: Any, compression: Any
) -> None:
    slide = make_rgb_slide()
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format=file_format, compression=compression, tile=64)
    image = pyvips.Image.new_from_file(str(path))
    assert (image.width, image.height, image.bands) == (517, 301, 3)
    assert image.xres == pytest.approx(1000 / 0.2528, rel=1e-6)
    difference = np.abs(image.numpy().astype(int) - np.moveaxis(slide.pixels, 0, -1))
    assert difference.mean() <= (3 if compression == "jpeg" else 0)
    level = {"subifd": 2} if file_format == "ome-tiff" else {"page": 3}
    reduced = pyvips.Image.new_from_file(str(path), **level)
    assert (reduced.width, reduced.height) == (64, 37)


@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_ome_tiff_keeps_channels(tmp_path: Path, compression: Any) -> None:
    pixels = draw_texture(5, 200, 333, np.uint16)
    slide = MemorySlide(pixels, mpp=(0.3250, 0.3251), channels=FLUORESCENCE)
    path = tmp_path / "a.ome.tiff"
    write_slide(slide, path, compression=compression, tile=64)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        assert [level.shape for level in file.series[0].levels] == [
            (5, 200, 333),
            (5, 100, 166),
            (5, 50, 83),
            (5, 25, 41),
        ]
        for level, wanted in zip(file.series[0].levels, compute_levels(slide, 64), strict=True):
            np.testing.assert_array_equal(np.moveaxis(level.asarray(), 0, -1), wanted)
        root = ElementTree.fromstring(file.ome_metadata)
    space = {"o": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
    stored = root.find(".//o:Pixels", space)
    assert stored is not None
    assert stored.get("Type") == "uint16"
    assert stored.get("PhysicalSizeXUnit") == "µm"
    assert (stored.get("PhysicalSizeX"), stored.get("PhysicalSizeY")) == ("0.325", "0.3251")
    channels = stored.findall("o:Channel", space)
    assert [c.get("Name") for c in channels] == [c.name for c in FLUORESCENCE]
    colours = [
        None if c.get("Color") is None else int(str(c.get("Color"))) & 0xFFFFFFFF for c in channels
    ]
    assert colours == [0x0000FFFF, 0x00FF00FF, None, 0xFF0000FF, None]


def test_a_plain_tiff_keeps_channels_interleaved(tmp_path: Path) -> None:
    slide = MemorySlide(draw_texture(5, 200, 333, np.uint16), channels=FLUORESCENCE)
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format="tiff", tile=64)
    stored = read_levels(path)
    for level, wanted in zip(stored, compute_levels(slide, 64), strict=True):
        np.testing.assert_array_equal(level, wanted)
    np.testing.assert_array_equal(
        np.moveaxis(pyvips.Image.new_from_file(str(path)).numpy(), -1, 0), slide.pixels
    )


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
def test_one_channel_of_any_number_type(tmp_path: Path, dtype: str, file_format: Any) -> None:
    slide = MemorySlide(draw_texture(1, 150, 90, dtype), channels=(Channel("grey"),))
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format=file_format, tile=32)
    stored = read_levels(path)
    assert stored[0].dtype == dtype
    np.testing.assert_array_equal(stored[0], slide.pixels[0])
    tolerance = 1e-6 if slide.pixels.dtype.kind == "f" else 1
    np.testing.assert_allclose(
        stored[1], compute_levels(slide, 32)[1][..., 0], atol=tolerance, rtol=1e-6
    )


@pytest.mark.parametrize("file_format", ["ome-tiff", "tiff"])
@pytest.mark.parametrize("kind", ["rgb", "fluorescence"])
def test_our_own_reader_gets_back_what_was_written(
    tmp_path: Path, file_format: Any, kind: str
) -> None:
    slide = make_rgb_slide()
    if kind == "fluorescence":
        slide = MemorySlide(
            draw_texture(5, 200, 333, np.uint16), mpp=(0.325, 0.325), channels=FLUORESCENCE
        )
    path = tmp_path / ("a.ome.tiff" if file_format == "ome-tiff" else "a.tiff")
    write_slide(slide, path, file_format=file_format, compression="deflate", tile=64)
    with open_slide(path) as opened:
        assert opened.frame.calibrated
        assert opened.frame.mpp == pytest.approx(slide.mpp, rel=1e-6)
        assert len(opened.levels) == len(compute_levels(slide, 64))
        assert opened.info.is_rgb == slide.info.is_rgb
        assert not opened.info.warnings
        if file_format == "ome-tiff":
            assert opened.info.channels == slide.channels
        np.testing.assert_array_equal(opened.read(opened.frame).pixels, slide.pixels)


def test_grey_jpeg(tmp_path: Path) -> None:
    slide = MemorySlide(draw_texture(1, 150, 90), channels=(Channel("grey"),))
    write_slide(slide, tmp_path / "a.tiff", file_format="tiff", compression="jpeg", tile=64)
    assert np.abs(read_levels(tmp_path / "a.tiff")[0].astype(int) - slide.pixels[0]).mean() < 2


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 500), (64, 64), (65, 64), (63, 129), (257, 5), (128, 256)]
)
def test_awkward_sizes(tmp_path: Path, height: int, width: int) -> None:
    slide = MemorySlide(draw_texture(3, 600, 600)[:, :height, :width])
    path = tmp_path / "a.tiff"
    write_slide(slide, path, file_format="tiff", compression="none", tile=64)
    with tifffile.TiffFile(path) as file:
        stored = [page.asarray() for page in file.pages]
    np.testing.assert_array_equal(
        stored[0].reshape(height, width, 3), np.moveaxis(slide.pixels, 0, -1)
    )
    sizes = Pyramid(height, width, 64).sizes
    assert [level.shape[:2] for level in stored] == list(sizes)
    assert max(sizes[-1]) <= 64
    # A constant stays itself at every level.
    write_slide(
        MemorySlide(np.full((3, height, width), 77, np.uint8)),
        path,
        compression="none",
        tile=64,
        overwrite=True,
    )
    assert all((level == 77).all() for level in read_levels(path))


def test_labels_are_reduced_without_new_values(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).choice([0, 10, 200], (1, 300, 300)).astype(np.uint16)
    write_slide(
        MemorySlide(labels, channels=(Channel("labels"),)),
        tmp_path / "a.tiff",
        tile=64,
        reduction="nearest",
    )
    for index, level in enumerate(read_levels(tmp_path / "a.tiff")):
        np.testing.assert_array_equal(
            level, labels[0, :: 2**index, :: 2**index][: level.shape[0], : level.shape[1]]
        )


def test_an_uncalibrated_slide_claims_no_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    write_slide(make_rgb_slide(calibrated=False), path, tile=64)
    with tifffile.TiffFile(path) as file:
        assert "PhysicalSize" not in str(file.ome_metadata)
        assert "XResolution" not in file.pages.first.tags


def test_background_is_stored_once(tmp_path: Path) -> None:
    pixels = np.full((3, 1024, 1024), 255, np.uint8)
    pixels[:, 100:200, 100:200] = draw_texture(3, 100, 100)
    write_slide(MemorySlide(pixels), tmp_path / "a.tiff", file_format="tiff", tile=64)
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert (
            len(set(file.pages.first.dataoffsets)) <= 10
        )  # of 256 tiles, nine of them with tissue
    np.testing.assert_allclose(read_levels(tmp_path / "a.tiff")[0][500:], 255)


def test_every_pixel_is_read_once_and_in_stripes(tmp_path: Path) -> None:
    slide = make_rgb_slide(700, 1300)
    write_slide(slide, tmp_path / "a.tiff", tile=64, threads=2)
    seen = np.zeros((700, 1300), int)
    for frame in slide.reads:
        x, y = np.round(np.divide(frame.origin_um, frame.mpp)).astype(int)
        seen[y : y + frame.height, x : x + frame.width] += 1
        assert max(frame.width, frame.height) <= 64
    assert (seen == 1).all()


def test_the_number_of_threads_does_not_change_the_file(tmp_path: Path) -> None:
    slide = make_rgb_slide(700, 1300)
    for threads in (1, 4):
        write_slide(slide, tmp_path / f"{threads}.tiff", tile=64, threads=threads)
    assert (tmp_path / "1.tiff").read_bytes() == (tmp_path / "4.tiff").read_bytes()


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_slide(
        make_rgb_slide(),
        tmp_path / "a.tiff",
        tile=64,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(i, 45) for i in range(1, 46)]


class Broken(MemorySlide):
    """Fails in the middle."""

    error: BaseException = InputError("unreadable tile", where="broken.svs")

    def read(self, frame: Frame) -> Image:
        if len(self.reads) > 10:
            raise self.error
        return super().read(frame)


@pytest.mark.parametrize(
    "error", [InputError("unreadable tile"), KeyboardInterrupt(), MemoryError()]
)
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    slide = Broken(make_rgb_slide().pixels)
    slide.error = error
    with pytest.raises(type(error)):
        write_slide(slide, tmp_path / "a.tiff", tile=64, threads=2)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_main_thread_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_slide(make_rgb_slide(), tmp_path / "a.tiff", tile=64, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_input_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (100_000, limits[1])
    )  # the kernel refuses to write more, as a full disk
    try:
        with pytest.raises(InputError, match="could not write"):
            write_slide(make_rgb_slide(), path, compression="none", tile=64, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_bytes() == b"old"


def test_an_existing_file_stays_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="exists already"):
        write_slide(make_rgb_slide(), path, tile=64)
    assert path.read_bytes() == b"old"
    write_slide(make_rgb_slide(), path, tile=64, overwrite=True)
    assert read_levels(path)[0].shape == (301, 517, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file_format": "svs"}, "no such slide format"),
        ({"compression": "lzw"}, "no such compression"),
        ({"compression": "jpeg", "quality": 0}, "no such JPEG quality"),
        ({"tile": 100}, "multiple of 16"),
        ({"threads": 0}, "at least one thread"),
    ],
)
def test_impossible_options_are_input_errors(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_slide(make_rgb_slide(), tmp_path / "a.tiff", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tiff", "a.zarr"])
def test_pixels_of_64_bits_are_refused_under_the_output_s_name(tmp_path: Path, name: str) -> None:
    slide = MemorySlide(draw_texture(1, 90, 90, np.uint16).astype(np.int64))
    with pytest.raises(InputError, match=rf"{name}: pixels of this type.*got int64; convert"):
        write_slide(slide, tmp_path / name)


def test_jpeg_of_16_bit_is_an_input_error(tmp_path: Path) -> None:
    slide = MemorySlide(draw_texture(1, 90, 90, np.uint16), channels=(Channel("DAPI"),))
    with pytest.raises(InputError, match="8-bit"):
        write_slide(slide, tmp_path / "a.tiff", compression="jpeg")


def test_jpeg_of_interleaved_channels_is_an_input_error(tmp_path: Path) -> None:
    slide = MemorySlide(draw_texture(4, 90, 90), channels=tuple(Channel(str(i)) for i in range(4)))
    with pytest.raises(InputError, match="RGB or one channel"):
        write_slide(slide, tmp_path / "a.tiff", file_format="tiff", compression="jpeg")
    write_slide(slide, tmp_path / "a.ome.tiff", compression="jpeg", tile=64)
    assert np.abs(read_levels(tmp_path / "a.ome.tiff")[0].astype(int) - slide.pixels).mean() < 2


def test_a_name_of_another_kind_of_picture_is_an_input_error(tmp_path: Path) -> None:
    for name in ("a.png", "a.JPG"):
        with pytest.raises(InputError, match=r"is not written; expected \.ome\.tiff"):
            write_slide(make_rgb_slide(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        write_slide(make_rgb_slide(), tmp_path / "none" / "a.tiff")


@pytest.mark.parametrize("big", [False, True])
def test_both_kinds_of_container_are_read(big: bool) -> None:
    file = io.BytesIO()
    container = TiffContainer(file)
    pixels = draw_texture(1, 32, 32)[0]
    segments = [
        container.append(pixels[y : y + 16, x : x + 16].tobytes()) for y in (0, 16) for x in (0, 16)
    ]
    tags = [(256, 32), (257, 32), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    offsets = (
        Tag(324, "offset", [s[0] for s in segments]),
        Tag(325, "long", [s[1] for s in segments]),
    )
    directory = Directory((*(Tag(code, "short", [value]) for code, value in tags), *offsets))
    container.finish([directory, Directory(directory.tags, (directory, directory))], big=big)
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        assert opened.is_bigtiff == big
        assert len(opened.pages) == 2
        second = opened.pages[1]
        assert second.subifds is not None
        assert len(second.subifds) == 2
        for page in (*opened.pages, *second.pages):
            np.testing.assert_array_equal(page.asarray(), pixels)


def test_bigtiff_begins_where_32_bit_offsets_end() -> None:
    class Sparse(io.BytesIO):
        """Remembers the header, drops the rest."""

        def write(self, data: Any) -> int:
            return super().write(data) if self.tell() == 0 else len(data)

    for size, magic in ((2**32 - 2**20, 42), (2**32 - 100, 43)):
        file = Sparse()
        container = TiffContainer(file)
        container._end = size
        container.finish([Directory((Tag(256, "short", [1]),))])
        assert struct.unpack("<2sH", file.getvalue()[:4]) == (b"II", magic)


def test_halving_is_the_mean_of_four() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    exact = pixels.reshape(32, 2, 24, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(halve(pixels, (32, 24)), exact, atol=0.5)
    assert abs(float(halve(pixels, (32, 24)).mean() - exact.mean())) < 0.2
    wide = np.repeat(pixels[..., :1], 7, axis=2)  # more channels than OpenCV reduces at once
    np.testing.assert_allclose(halve(wide, (32, 24)), exact[..., :1].repeat(7, axis=2), atol=0.5)
