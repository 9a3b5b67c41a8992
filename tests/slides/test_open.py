"""Opening a slide of any format, and refusing what is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.conftest import CHANNELS, MPP, Array, Sample

from stainbridge.errors import InputError
from stainbridge.slides import ArraySlide, Slide, open_slide
from stainbridge.slides.readers.table import READERS, Reader


def read_level(slide: Slide, level: int) -> Array:
    """A whole level, (H, W, C)."""
    return np.moveaxis(slide.read(slide.levels[level]).pixels, 0, -1)


def test_every_format_gives_the_picture_that_was_written(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        assert isinstance(slide, Slide)
        assert (slide.info.reader, slide.info.format) == (sample.reader, sample.format)
        assert (slide.frame.height, slide.frame.width) == sample.levels[0].shape[:2]
        assert slide.levels[0] == slide.frame
        assert slide.frame.calibrated is sample.calibrated
        assert slide.frame.mpp == pytest.approx((MPP, MPP) if sample.calibrated else (1.0, 1.0))
        for i, level in enumerate(sample.levels):
            if sample.lossy:
                assert np.abs(read_level(slide, i).astype(int) - level).mean() < 4
            else:
                np.testing.assert_array_equal(read_level(slide, i), level)
                assert read_level(slide, i).dtype == level.dtype == slide.info.dtype


def test_pictures_are_rgb_and_fluorescence_keeps_its_names_and_colours(
    samples: dict[str, Sample],
) -> None:
    for name, sample in samples.items():
        with open_slide(sample.path) as slide:
            assert slide.info.is_rgb is (name != "ome fluorescence")
    with open_slide(samples["ome fluorescence"].path) as slide:
        assert tuple(channel.name for channel in slide.info.channels) == CHANNELS
        assert slide.info.channels[1].colour == (0, 255, 0)
        assert slide.info.channels[2].colour == (255, 0, 0)


def test_levels_of_dropped_columns_have_whole_multiples_of_the_pixel_size(
    samples: dict[str, Sample],
) -> None:
    with open_slide(samples["plain pyramid"].path) as slide:
        assert [level.width for level in slide.levels] == [803, 401, 200, 100]
        assert [level.mpp[0] / MPP for level in slide.levels] == [1, 2, 4, 8]


def test_a_pixel_size_given_overrides_the_files(sample: Sample) -> None:
    with open_slide(sample.path, mpp=0.5, stain="HE") as slide:
        assert slide.frame.mpp == (0.5, 0.5)
        assert slide.frame.calibrated
        assert slide.stain == slide.read(slide.frame.fit(32)).stain == "HE"


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan"), float("inf")])
def test_a_pixel_size_given_must_be_one(samples: dict[str, Sample], mpp: float) -> None:
    with pytest.raises(InputError, match="pixel size must be positive"):
        open_slide(samples["png"].path, mpp=mpp)


@pytest.mark.parametrize(
    ("name", "wrong"), [("png", "a.svs"), ("plain pyramid", "b.png"), ("jpeg", "c")]
)
def test_the_contents_decide_and_not_the_name(
    samples: dict[str, Sample], tmp_path: Path, name: str, wrong: str
) -> None:
    shutil.copy(samples[name].path, tmp_path / wrong)
    with open_slide(tmp_path / wrong) as slide:
        assert slide.info.reader == samples[name].reader


def test_a_closed_slide_is_not_read(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        frame = slide.frame.fit(20)
    slide.close()
    with pytest.raises(InputError, match="closed"):
        slide.read(frame)


def test_what_is_no_slide_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.svs").touch()
    (tmp_path / "text.tif").write_text("this is not a slide")
    (tmp_path / "header.tif").write_bytes(b"II*\x00\x08\x00\x00\x00")
    (tmp_path / "noise.tif").write_bytes(b"II*\x00" + np.random.default_rng(0).bytes(4000))
    (tmp_path / "noise.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + np.random.default_rng(1).bytes(4000)
    )
    (tmp_path / "noise.jpg").write_bytes(b"\xff\xd8\xff\xe0" + np.random.default_rng(2).bytes(4000))
    (tmp_path / "noise.zip").write_bytes(b"PK\x03\x04" + np.random.default_rng(3).bytes(4000))
    (tmp_path / "folder").mkdir()
    names = ("missing.svs", "empty.svs", "text.tif", "header.tif", "noise.tif", "noise.png")
    for name in (*names, "noise.jpg", "noise.zip", "folder", "empty.svs/inside"):
        with pytest.raises(InputError) as caught:
            open_slide(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["plain pyramid", "ome rgb", "ome fluorescence", "aperio", "raw strips", "png", "jpeg"]
)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(
    samples: dict[str, Sample], tmp_path: Path, name: str, kept: float
) -> None:
    whole = samples[name].path.read_bytes()
    short = tmp_path / samples[name].path.name
    short.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match=short.name), open_slide(short) as slide:
        slide.read(slide.frame)


def test_a_damaged_tile_is_named_and_the_others_are_read(
    samples: dict[str, Sample], tmp_path: Path
) -> None:
    sample = samples["plain pyramid"]
    path = tmp_path / "broken.tif"
    shutil.copy(sample.path, path)
    with tifffile.TiffFile(path) as tif:
        across = -(-sample.levels[0].shape[1] // 128)
        offset = tif.pages[0].dataoffsets[2 * across + 3]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x00" * 64)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(
            np.moveaxis(slide.read(slide.frame.crop(0, 0, 384, 200)).pixels, 0, -1),
            sample.levels[0][:200, :384],
        )
        for _ in range(2):  # and again: an error is not cached as a tile
            with pytest.raises(InputError, match=r"broken\.tif, level 0, tile at column 3, row 2"):
                slide.read(slide.frame)


def test_a_read_too_large_to_hold_is_refused(sample: Sample) -> None:
    with open_slide(sample.path) as slide, pytest.raises(InputError, match="too large to hold"):
        slide.read(slide.frame.at_mpp(slide.frame.mpp[0] / 1000))


def test_importing_slides_does_not_import_the_back_ends() -> None:
    code = (
        "import sys, stainbridge.slides;"
        "print(sorted({'cv2', 'openslide', 'tifffile', 'zarr', 'PIL', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_array_is_a_slide(picture: Array) -> None:
    pixels = np.moveaxis(picture, -1, 0)
    with ArraySlide(pixels, 0.5, name="mine", stain="HE") as slide:
        assert isinstance(slide, Slide)
        assert slide.frame.label == "mine"
        assert slide.info.is_rgb
        assert slide.frame.calibrated
        np.testing.assert_array_equal(slide.read(slide.frame).pixels, pixels)
        assert slide.read(slide.frame).pixels.base is not pixels
    assert not ArraySlide(pixels).frame.calibrated


@pytest.mark.parametrize("shape", [(5, 5), (0, 4, 4), (1, 2, 3, 4)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"\(C, H, W\)"):
        ArraySlide(np.zeros(shape, np.uint8))


#: Real files that are no slides, damaged, or in a compression that OpenSlide does not read.
REFUSED = {
    "broken.svs",
    "small_dicom.dcm",
    "wsireg_polygons.geojson",
    "sm_image_grayscale.dcm",
    "sm_image_jpegls.dcm",
    "sm_image_grayscale_reversed.dcm",
    "sm_image_jpegls_nobot.dcm",
}


def find_refusal(path: Path) -> InputError | None:
    """Open and read a slide; the error with which it is refused, None where it is not."""
    try:
        with open_slide(path) as slide:
            image = slide.read(slide.frame.fit(200))
            assert image.valid.all()
            assert image.pixels.std() > 0
            assert slide.frame.calibrated or slide.frame.mpp == (1.0, 1.0)
    except InputError as error:
        return error
    return None


def test_every_real_file_opens_or_is_refused(real_data: Path) -> None:
    files = [path for path in (real_data / "slide_formats").rglob("*") if path.is_file()]
    files += (real_data / "cytology_4scanner" / "slides").iterdir()
    refusals = {path.name: find_refusal(path) for path in files}
    refused = {name: error for name, error in refusals.items() if error is not None}
    assert not any("\n" in str(error) for error in refused.values())
    assert set(refused) == REFUSED


def test_a_tag_of_1000_um_on_real_slides_is_not_believed(real_data: Path) -> None:
    for path in (real_data / "cytology_4scanner" / "slides").iterdir():
        with open_slide(path) as slide:
            assert not slide.frame.calibrated
            assert len(slide.levels) == 6
            assert "1000 µm" in slide.info.warnings[0]


@pytest.mark.parametrize(
    "name", ["plain pyramid", "ome rgb", "ome fluorescence", "aperio", "raw strips", "png", "jpeg"]
)
def test_damaged_bytes_are_refused_or_read_and_never_raise_anything_else(
    samples: dict[str, Sample], tmp_path: Path, name: str
) -> None:
    whole = samples[name].path.read_bytes()
    generator = np.random.default_rng(4)
    refused = 0
    for i in range(40):
        damaged = bytearray(whole)
        for place in generator.integers(0, (600, len(whole))[i % 2], 6):
            damaged[-place if i % 4 > 1 else place] = generator.integers(256)
        path = tmp_path / f"{i}{''.join(samples[name].path.suffixes)}"
        path.write_bytes(damaged)
        try:
            with open_slide(path) as slide:
                slide.read(slide.frame.fit(200))
                slide.read(slide.frame.crop(0, 0, 300, 300))
        except InputError:
            refused += 1
    assert refused > 0


def test_a_reader_is_added_by_one_entry(
    samples: dict[str, Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_toy(path: Path, *, mpp: float | None, stain: str | None) -> Slide:
        height, width = map(int, path.read_text().split()[1:])
        return ArraySlide(np.zeros((1, height, width), np.uint8), mpp, path.name, stain)

    toy = Reader("toy", lambda path, header: header.startswith(b"TOY "), open_toy)
    path = tmp_path / "a.toy"
    path.write_text("TOY 20 30")
    with pytest.raises(InputError, match="not a slide or image of a known format"):
        open_slide(path)
    monkeypatch.setattr("stainbridge.slides.open.READERS", (*READERS, toy))
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.frame.height, slide.frame.width, slide.frame.mpp) == (20, 30, (0.5, 0.5))
    with open_slide(samples["png"].path) as slide:
        assert slide.info.reader == "pillow"


def test_readers_are_named_as_their_slides_name_them(sample: Sample) -> None:
    header = b"" if sample.path.is_dir() else sample.path.read_bytes()[:64]
    claiming = [reader.name for reader in READERS if reader.claims(sample.path, header)]
    assert claiming[0] == sample.reader
