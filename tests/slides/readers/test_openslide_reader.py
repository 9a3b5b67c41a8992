"""The same assertions against OpenSlide itself, for formats that both read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openslide
import pytest
from tests.conftest import Array, Sample

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.readers.openslide_reader import detect_vendor, open_vendor
from stainbridge.slides.slide import Slide

BOXES = ((0, 0, 100, 80), (37, 61, 150, 90), (120, 0, 33, 200), (5, 128, 128, 128))


def openslide_region(
    source: openslide.OpenSlide, level: int, box: tuple[int, int, int, int]
) -> Array:
    """(C, H, W) of a box in pixels of `level`."""
    factor = source.level_downsamples[level]
    x, y, width, height = box
    region = source.read_region((round(x * factor), round(y * factor)), level, (width, height))
    return np.moveaxis(np.asarray(region.convert("RGB")), -1, 0)


def assert_agree(slide: Slide, path: Path, lossless: bool = True) -> None:
    with openslide.OpenSlide(path) as source:
        assert [(frame.width, frame.height) for frame in slide.levels] == list(
            source.level_dimensions
        )
        for level in range(source.level_count):
            if source.level_downsamples[level] % 1:  # OpenSlide places these between pixels
                continue
            for box in BOXES:
                frame = slide.levels[level]
                if box[0] + box[2] > frame.width or box[1] + box[3] > frame.height:
                    continue
                ours, theirs = (
                    slide.read(frame.crop(*box)).pixels,
                    openslide_region(source, level, box),
                )
                assert np.abs(ours.astype(int) - theirs).max() <= (0 if lossless else 2)


@pytest.mark.parametrize("name", ["plain pyramid", "aperio"])
def test_generated_pyramids_read_as_openslide_reads_them(
    samples: dict[str, Sample], name: str
) -> None:
    sample = samples[name]
    with open_slide(sample.path) as slide:
        assert slide.info.reader == "tifffile"
        assert_agree(slide, sample.path)
        with openslide.OpenSlide(sample.path) as source:
            if name == "aperio":
                assert slide.frame.mpp[0] == float(source.properties["openslide.mpp-x"])
                assert slide.info.vendor == source.properties["openslide.vendor"]


def test_the_openslide_back_end_reads_as_the_tiff_one(samples: dict[str, Sample]) -> None:
    path = samples["aperio"].path
    assert detect_vendor(path) == "aperio"
    with open_vendor(path) as vendor, open_slide(path) as tiff:
        assert vendor.info.is_rgb
        assert vendor.frame == replace(tiff.frame, space=vendor.frame.space)
        assert [(level.height, level.width) for level in vendor.levels] == [
            (level.height, level.width) for level in tiff.levels
        ]
        assert_agree(vendor, path)
        frame = vendor.frame.at_mpp(0.77)
        difference = vendor.read(frame).pixels.astype(int) - tiff.read(frame).pixels
        assert np.abs(difference).max() <= 1


def test_an_aperio_file_with_tiles_left_out_goes_to_openslide(
    samples: dict[str, Sample], tmp_path: Path
) -> None:
    import tifffile

    path = tmp_path / "sparse.svs"
    path.write_bytes(samples["aperio"].path.read_bytes())
    with tifffile.TiffFile(path, mode="r+") as tif:
        counts = list(tif.pages[0].databytecounts)
        counts[4] = 0
        tif.pages[0].tags["TileByteCounts"].overwrite(counts)
    with open_slide(path) as slide:
        assert slide.info.reader == "openslide"


def test_a_vendor_file_openslide_refuses_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "header.dcm"
    path.write_bytes(bytes(128) + b"DICM" + bytes(200))
    with pytest.raises(InputError, match=r"header\.dcm"):
        open_slide(path)


@pytest.mark.parametrize(
    "name",
    [
        "CMU-1-Small-Region.svs",
        "openslide_small.svs",
        "openslide_boxes.tiff",
        "openslide_boxes_0.dcm",
        "highdicom/sm_image.dcm",
        "test3-DAPI.ndpi",
    ],
)
def test_real_files_read_as_openslide_reads_them(real_data: Path, name: str) -> None:
    path = real_data / "slide_formats" / name
    with open_slide(path) as slide:
        assert_agree(slide, path)
        with openslide.OpenSlide(path) as source:
            claimed = source.properties.get("openslide.mpp-x")
            if slide.frame.calibrated:
                assert slide.frame.mpp[0] == pytest.approx(float(claimed))


def test_generic_tiffs_named_as_vendors_read_as_openslide_reads_them(real_data: Path) -> None:
    for path in (real_data / "cytology_4scanner" / "slides").iterdir():
        with open_slide(path) as slide:
            assert slide.info.reader == "tifffile"
            assert_agree(slide, path)
