"""Files whose pixels are easily misread: each is read right, or says what is doubtful."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from tests.conftest import MPP, Array, halved, texture

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.open_mask import open_mask
from stainbridge.slides.readers.tiff_metadata import UM_PER_RESOLUTION_UNIT
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.png import write_png
from stainbridge.slides.writing.write import write_slide

RGB = texture(150, 230, 3)
GREY = RGB[..., 0]
OME = '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read_whole(slide: Slide) -> Array:
    """(H, W, C)."""
    return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


def read(path: Path) -> Array:
    with open_slide(path) as slide:
        return read_whole(slide)


@pytest.mark.parametrize("ome", [True, False])
@pytest.mark.parametrize("tile", [(64, 64), None])
def test_another_picture_half_as_large_is_no_level(
    tmp_path: Path, ome: bool, tile: tuple[int, int] | None
) -> None:
    path = tmp_path / ("a.ome.tif" if ome else "a.tif")
    other = texture(75, 115, 3, seed=99)
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for picture in (RGB, other):
            options: dict[str, Any] = {} if ome else {"metadata": None}
            writer.write(picture, photometric="rgb", tile=tile, compression="zlib", **options)
    with open_slide(path) as slide:
        assert len(slide.levels) == 1
        assert "a page of 115 x 75 pixels is another picture: not read" in slide.info.warnings
        coarse = slide.read(slide.frame.at_mpp(2.0)).pixels
    assert np.abs(np.moveaxis(coarse, 0, -1).astype(int) - halved(RGB)).mean() < 4


@pytest.mark.parametrize("picture", [RGB, np.full((150, 230, 3), 255, np.uint8)])
def test_the_same_picture_half_as_large_is_a_level(tmp_path: Path, picture: Array) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for level in (picture, halved(picture), halved(halved(picture))):
            writer.write(level, photometric="rgb", tile=(64, 64), metadata=None)
    with open_slide(tmp_path / "a.tif") as slide:
        assert len(slide.levels) == 3
        assert not slide.info.warnings


@pytest.mark.parametrize(
    ("dtype", "bits", "total"),
    [("uint8", 8, 255), ("uint16", 16, 65535), ("int16", 16, -1), ("int8", 8, -1)],
)
def test_white_is_zero_is_turned(tmp_path: Path, dtype: str, bits: int, total: int) -> None:
    data = np.random.default_rng(0).integers(-(2**bits), 2**bits, (40, 50)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="miniswhite", metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[..., 0], total - data.astype(int))


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_samples_are_turned_within_their_bits(
    tmp_path: Path, bits: int, photometric: int
) -> None:
    data = np.random.default_rng(0).integers(0, 2**bits, (40, 48))
    _write_packed(tmp_path / "a.tif", data, bits, photometric)
    largest = 2**bits - 1
    shown = largest - data if photometric == 0 else data
    with open_slide(tmp_path / "a.tif") as slide:
        pixels = read_whole(slide)[..., 0]
        said = f"samples of {bits} bits: values are 0 to {largest}"
        assert (said in slide.info.warnings) is (bits in (2, 4))
    np.testing.assert_array_equal(pixels, shown * 255 if bits == 1 else shown)


def _write_packed(path: Path, data: Array, bits: int, photometric: int) -> None:
    """Write a little-endian TIFF of one strip whose samples are packed."""
    places = np.arange(bits)[::-1]
    strip = np.packbits((data[..., None] >> places) & 1).tobytes()
    height, width = data.shape
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(strip)),
    ]  # fmt: skip
    directory = len(tags).to_bytes(2, "little")
    for code, kind, value in tags:
        directory += b"".join(
            number.to_bytes(size, "little")
            for number, size in ((code, 2), (kind, 2), (1, 4), (value, 4))
        )
    at = 8 + len(strip) + len(strip) % 2
    head = b"II*\0" + at.to_bytes(4, "little")
    path.write_bytes((head + strip).ljust(at, b"\0") + directory + bytes(4))


def test_white_is_zero_with_alpha_is_shown_over_white(tmp_path: Path) -> None:
    data = np.stack([np.full((20, 30), 200), np.zeros((20, 30))], axis=2).astype(np.uint8)
    data[5:] = (200, 255)
    tifffile.imwrite(
        tmp_path / "a.tif", data, photometric="miniswhite", extrasamples=["unassalpha"],
        planarconfig="contig", metadata=None,
    )  # fmt: skip
    pixels = read(tmp_path / "a.tif")[..., 0]
    assert (pixels[:5] == 255).all()
    assert (pixels[5:] == 55).all()


def test_white_is_zero_of_fractions_is_said(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((20, 30), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="miniswhite", metadata=None)
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], data)
        assert "WhiteIsZero" in slide.info.warnings[0]


@pytest.mark.parametrize("scale", [1, 257])
def test_a_colour_map_of_8_bits_is_one_of_16(tmp_path: Path, scale: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 256))
    data = np.random.default_rng(1).integers(0, 256, (40, 50)).astype(np.uint8)
    colormap = (colours * scale).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", data, colormap=colormap, photometric="palette")
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), colours.T[data])


INSIDE = np.zeros((40, 60), bool)
INSIDE[10:30, 20:50] = True


@pytest.mark.parametrize("value", [1, 7, 255])
@pytest.mark.parametrize("under", [0, 255])
@pytest.mark.parametrize(
    "kind",
    ["rgba.png", "la.png", "deep.png", "rgba.tif", "rgba.webp", "zarr", "plain.bmp", "masked.bmp"],
)
def test_transparent_parts_of_a_mask_are_outside(
    tmp_path: Path, kind: str, under: int, value: int
) -> None:
    grey = np.where(INSIDE, value, under).astype(np.uint8)
    rgba = np.dstack([grey, grey, grey, INSIDE * np.uint8(255)])
    path = tmp_path / f"mask.{kind}"
    if kind == "zarr":
        zarr.create_array(path, data=rgba)
    elif kind == "deep.png":
        path.write_bytes(_png_16(rgba.astype(np.uint16)))
    elif kind == "rgba.tif":
        tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
    elif kind == "masked.bmp":  # its header says which bits are alpha
        cv2.imwrite(str(path), rgba)
    else:
        picture = Image.fromarray(rgba)
        picture = picture.convert("LA") if kind == "la.png" else picture
        picture.save(path, **({"lossless": True} if kind == "rgba.webp" else {}))
    with open_mask(path) as slide:
        pixels = read_whole(slide)
    np.testing.assert_array_equal(pixels[..., 0], np.where(INSIDE, value, 0))


@pytest.mark.parametrize("fourth", [0, 255])
@pytest.mark.parametrize("top_down", [False, True])
def test_a_fourth_byte_of_a_bitmap_that_says_nothing_is_no_alpha(
    tmp_path: Path, fourth: int, top_down: bool
) -> None:
    grey = np.where(INSIDE, 200, 90).astype(np.uint8)
    Image.fromarray(np.dstack([grey, grey, grey, np.full_like(grey, fourth)])).save(
        tmp_path / "a.bmp"
    )
    if top_down:
        _turn_bitmap(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read(tmp_path / "a.bmp")[..., 0], grey)
    with open_mask(tmp_path / "a.bmp") as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 1], grey)


@pytest.mark.parametrize("top_down", [False, True])
def test_alpha_of_a_bitmap_is_shown_over_white(tmp_path: Path, top_down: bool) -> None:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:50, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.bmp")
    if top_down:
        _turn_bitmap(tmp_path / "a.bmp")
    pixels = read(tmp_path / "a.bmp")
    assert (pixels[:50] == 255).all()
    np.testing.assert_array_equal(pixels[50:], RGB[50:])


def _turn_bitmap(path: Path) -> None:
    """Store a bitmap's rows from the top, which a negative height says."""
    data = bytearray(path.read_bytes())
    offset = int.from_bytes(data[10:14], "little")
    width, height = (int.from_bytes(data[at : at + 4], "little") for at in (18, 22))
    rows = np.frombuffer(data[offset:], np.uint8).reshape(height, width, 4)
    data[22:26] = (-height).to_bytes(4, "little", signed=True)
    data[offset:] = rows[::-1].tobytes()
    path.write_bytes(data)


def _png_16(pixels: Array) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.png_encode(pixels))


ATTRIBUTES = {
    "SizeX": "80", "SizeC": "2", "SizeZ": "1", "SizeT": "1",
    "PhysicalSizeX": "0.5", "PhysicalSizeY": "0.5",
    "PhysicalSizeXUnit": "µm",
}  # fmt: skip


def _ome(path: Path, pixels: dict[str, str], channel: dict[str, str]) -> None:
    def attributes(values: dict[str, str]) -> str:
        return " ".join(f'{key}="{value}"' for key, value in values.items())

    xml = (
        f'{OME}<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeY="60" {attributes(ATTRIBUTES | pixels)}>'
        f'<Channel ID="Channel:0:0" Name="DAPI" {attributes({"Color": "65535"} | channel)}/>'
        '<Channel ID="Channel:0:1" Name="CD3" Color="16711935"/>'
        '<TiffData IFD="0" FirstC="0"/><TiffData IFD="1" FirstC="1"/></Pixels></Image></OME>'
    )
    data = np.random.default_rng(0).integers(0, 999, (2, 60, 80)).astype(np.uint16)
    tifffile.imwrite(path, data, description=xml.encode(), metadata=None, photometric="minisblack")


BAD = st.sampled_from(["", "x", "NaN-ish", "1e999x", "0,5", "None", "ÿ", "1 2"])


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(["PhysicalSizeX", "PhysicalSizeY"]), value=BAD)
def test_a_bad_pixel_size_of_ome_costs_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "bad-size.ome.tif"
    _ome(path, {name: value}, {})
    with open_slide(path) as slide:
        assert [channel.name for channel in slide.info.channels] == ["DAPI", "CD3"]
        assert slide.info.channels[0].colour == (0, 0, 255)
        assert not slide.frame.calibrated
        assert any(name in warning for warning in slide.info.warnings)


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(["Color", "SamplesPerPixel"]), value=BAD)
def test_a_bad_channel_attribute_of_ome_costs_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "bad-channel.ome.tif"
    _ome(path, {}, {name: value})
    with open_slide(path) as slide:
        assert slide.frame.mpp == (0.5, 0.5)
        assert [channel.name for channel in slide.info.channels] == ["DAPI", "CD3"]
        assert slide.info.channels[1].colour == (0, 255, 0)
        assert any(name in warning for warning in slide.info.warnings)
        assert len(set(slide.info.warnings)) == len(slide.info.warnings)


@pytest.mark.parametrize("name", ["SizeC", "SizeZ", "SizeT"])
def test_an_ome_of_a_billion_planes_is_refused_at_once(tmp_path: Path, name: str) -> None:
    _ome(tmp_path / "a.ome.tif", {name: str(10**9)}, {})
    with pytest.raises(InputError, match="declares too many planes"):
        open_slide(tmp_path / "a.ome.tif")


def test_the_channels_of_an_ome_image_are_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for size, names in (((2, 30, 40), ["A", "B"]), ((2, 60, 80), ["C", "D"])):
            data = np.zeros(size, np.uint16)
            writer.write(
                data,
                photometric="minisblack",
                metadata={"axes": "CYX", "Channel": {"Name": names}, "PhysicalSizeX": MPP},
            )
    with open_slide(path) as slide:
        assert [channel.name for channel in slide.info.channels] == ["C", "D"]


def _write_set(folder: Path) -> Array:
    """Write two channels in a file each, described by a companion file."""
    data = np.random.default_rng(0).integers(0, 999, (2, 60, 80)).astype(np.uint16)
    planes = ""
    for i in range(2):
        only = (
            f'{OME[:-1]} UUID="urn:uuid:{i}"><BinaryOnly MetadataFile="set.companion.ome" '
            'UUID="urn:uuid:9"/></OME>'
        )
        path = folder / f"c{i}.ome.tif"
        tifffile.imwrite(path, data[i], description=only.encode(), metadata=None)
        planes += (
            f'<TiffData IFD="0" FirstC="{i}" PlaneCount="1"><UUID FileName="c{i}.ome.tif">'
            f"urn:uuid:{i}</UUID></TiffData>"
        )
    (folder / "set.companion.ome").write_text(
        f'{OME[:-1]} UUID="urn:uuid:9"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint16" SizeX="80" SizeY="60" SizeZ="1" SizeC="2" SizeT="1" '
        'PhysicalSizeX="0.5" PhysicalSizeY="0.5"><Channel ID="Channel:0:0" Name="DAPI"/>'
        f'<Channel ID="Channel:0:1" Name="CD3"/>{planes}</Pixels></Image></OME>'
    )
    return data


def test_a_part_of_an_ome_set_is_read_with_its_companion(tmp_path: Path) -> None:
    data = _write_set(tmp_path)
    with open_slide(tmp_path / "c0.ome.tif") as slide:
        assert [channel.name for channel in slide.info.channels] == ["DAPI", "CD3"]
        assert slide.frame.mpp == (0.5, 0.5)
        np.testing.assert_array_equal(read_whole(slide), np.moveaxis(data, 0, -1))


def test_a_part_of_an_ome_set_says_that_its_companion_is_missing(tmp_path: Path) -> None:
    data = _write_set(tmp_path)
    (tmp_path / "set.companion.ome").unlink()
    with open_slide(tmp_path / "c1.ome.tif") as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], data[1])
        assert "'set.companion.ome' describes, which is not there" in slide.info.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "UTF-16LE", "iso-8859-1"])
def test_qptiff_channels_are_named_whatever_the_encoding_that_is_declared(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "a.qptiff"
    with tifffile.TiffWriter(path) as writer:
        for name in ("DAPI", "CD3"):
            xml = (
                f'<?xml version="1.0" encoding="{encoding}"?><PerkinElmer-QPI-ImageDescription>'
                f"<Name>{name}</Name><Color>0,0,255</Color></PerkinElmer-QPI-ImageDescription>"
            )
            writer.write(
                np.zeros((60, 80), np.uint16), description=xml, metadata=None, tile=(32, 32),
                software="PerkinElmer-QPI",
            )  # fmt: skip
    with open_slide(path) as slide:
        assert [channel.name for channel in slide.info.channels] == ["DAPI", "CD3"]


JPEGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "optimised": {"optimize": True, "quality": 40},
    "no chroma": {"subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_a_whole_jpeg_is_read(tmp_path: Path, kind: str, ground: int) -> None:
    picture = RGB.copy()
    picture[100:] = ground
    Image.fromarray(picture).save(tmp_path / "a.jpg", **JPEGS[kind])
    assert np.abs(read(tmp_path / "a.jpg").astype(int) - picture).mean() < 8


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(sorted(JPEGS)), share=st.floats(0.1, 0.8), length=st.floats(0.1, 1))
def test_a_jpeg_without_its_middle_is_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float, length: float
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", **JPEGS[kind])
    data = buffer.getvalue()
    start = data.index(b"\xff\xda") + 14
    room = len(data) - 2 - start
    first = start + int(share * room)
    last = min(len(data) - 2, first + max(200, int(length * room)))
    path = tmp_path_factory.getbasetemp() / "cut.jpg"
    path.write_bytes(data[:first] + data[last:])
    if kind == "progressive" and first < data.rindex(b"\xff\xda"):
        return  # whole passes may be missing, which leaves a coarser picture
    with pytest.raises(InputError, match="damaged or truncated"):
        read(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_jpeg_tile_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", tile=(64, 64), compression="jpeg")
    assert np.abs(read(path).astype(int) - RGB).mean() < 8
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[1], tif.pages[0].databytecounts[1]
    data = bytearray(path.read_bytes())
    tile = bytes(data[offset : offset + count])
    start = tile.index(b"\xff\xda") + 14
    kept = tile[: start + int(share * (count - start))] + b"\xff\xd9"
    data[offset : offset + count] = kept.ljust(count, b"\0")
    path.write_bytes(data)
    with pytest.raises(InputError, match="level 0, tile at column 1, row 0"):
        read(path)


def _write_planes(path: Path, planes: Array) -> None:
    if path.suffix == ".zarr":
        zarr.create_array(path, data=planes)
    else:
        tifffile.imwrite(path, planes, photometric="minisblack", ome=path.name.endswith("ome.tif"))


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.zarr"])
def test_three_bright_planes_are_one_colour_picture(tmp_path: Path, name: str) -> None:
    _write_planes(tmp_path / name, np.moveaxis(RGB, -1, 0))
    with open_slide(tmp_path / name) as slide:
        assert slide.info.is_rgb
        assert any("red, green, blue" in warning for warning in slide.info.warnings)
        np.testing.assert_array_equal(read_whole(slide), RGB)
    _write_planes(tmp_path / f"dark-{name}", np.moveaxis(RGB, -1, 0) // 4)
    with open_slide(tmp_path / f"dark-{name}") as slide:
        assert not slide.info.is_rgb


@pytest.mark.parametrize(
    ("names", "is_rgb"),
    [(["Red", "Green", "Blue"], True), (["R", "G", "B"], True), (["DAPI", "CD3", "CD8"], False)],
)
def test_the_names_of_three_planes_decide(tmp_path: Path, names: list[str], is_rgb: bool) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", np.moveaxis(RGB, -1, 0) // (4 if is_rgb else 1),
        photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": names}},
    )  # fmt: skip
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.info.is_rgb is is_rgb


@pytest.mark.parametrize("kind", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("layout", ["ome-tiff", "tiff"])
def test_a_colour_profile_is_written_with_the_pixels(
    tmp_path: Path, kind: str, layout: Any
) -> None:
    path = tmp_path / kind
    if kind == "a.tif":
        tifffile.imwrite(path, RGB, photometric="rgb", iccprofile=PROFILE)
    else:
        Image.fromarray(RGB).save(path, icc_profile=PROFILE)
    with open_slide(path) as slide:
        assert slide.info.icc_profile == PROFILE
        write_slide(slide, tmp_path / "out.tif", file_format=layout)
    with tifffile.TiffFile(tmp_path / "out.tif") as tif:
        assert tif.pages[0].iccprofile == PROFILE
    with open_slide(tmp_path / "out.tif") as slide:
        assert slide.info.icc_profile == PROFILE


def test_a_colour_profile_is_an_attribute_of_an_ome_zarr(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=PROFILE)
    with open_slide(tmp_path / "a.png") as slide:
        write_slide(slide, tmp_path / "out.zarr")
    attributes = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs
    assert base64.b64decode(str(attributes["stainbridge-icc-profile"])) == PROFILE
    with open_slide(tmp_path / "out.zarr") as slide:
        assert slide.info.icc_profile == PROFILE


def test_a_colour_profile_is_written_into_a_png(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.tif", icc_profile=PROFILE)
    with open_slide(tmp_path / "a.tif") as slide:
        write_png(slide, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("damaged", ["", "no base64", "µ", 7, None, ["AAAA"], "AAAA"])
def test_a_damaged_profile_of_an_ome_zarr_is_left_out(tmp_path: Path, damaged: Any) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=PROFILE)
    with open_slide(tmp_path / "a.png") as slide:
        write_slide(slide, tmp_path / "out.zarr")
    zarr.open_group(tmp_path / "out.zarr", mode="a").attrs["stainbridge-icc-profile"] = damaged
    with open_slide(tmp_path / "out.zarr") as slide:
        assert slide.info.icc_profile is None


def test_a_profile_of_other_colours_is_not_kept(tmp_path: Path) -> None:
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=grey)
    with open_slide(tmp_path / "a.png") as slide:
        assert slide.info.icc_profile is None


@pytest.mark.parametrize("unit", UM_PER_RESOLUTION_UNIT)
def test_every_unit_of_the_resolution_tags_counts(tmp_path: Path, unit: int) -> None:
    per_unit = UM_PER_RESOLUTION_UNIT[unit] / 0.25
    tifffile.imwrite(
        tmp_path / "a.tif", RGB, resolution=(per_unit, per_unit), resolutionunit=unit, metadata=None
    )
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.frame.calibrated
        assert slide.frame.mpp == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int64"])
def test_inverted_greys_of_every_type_are_turned(tmp_path: Path, dtype: str) -> None:
    numbers = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    values = rng.integers(numbers.min, numbers.max, (24, 32), dtype, endpoint=True)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
    turned = read(tmp_path / "a.tif")[..., 0]
    low, high = int(numbers.min), int(numbers.max)
    expected = [low + high - int(value) for value in values.ravel()]
    assert [int(value) for value in turned.ravel()] == expected


@pytest.mark.parametrize("attribute", ["IFD", "FirstC"])
def test_planes_placed_before_the_first_are_damage(tmp_path: Path, attribute: str) -> None:
    path = tmp_path / "a.ome.tif"
    planes = np.stack([GREY, 255 - GREY])
    tifffile.imwrite(path, planes, metadata={"axes": "CYX"}, photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        xml = str(tif.ome_metadata)
    start = xml.index("<TiffData")
    damaged = xml[:start] + f'<TiffData {attribute}="-1"' + xml[xml.index(" Plane", start) :]
    tifffile.imwrite(
        path, planes, photometric="minisblack", description=damaged.encode(), metadata=None
    )
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frame).pixels, planes)
        assert any("the OME-XML is damaged" in warning for warning in slide.info.warnings)


@pytest.mark.parametrize("names", [["RGB:R", "RGB:G", "RGB:B"], ["BF Red", "BF Green", "BF Blue"]])
def test_planes_named_after_colours_are_one_picture(tmp_path: Path, names: list[str]) -> None:
    planes = np.moveaxis(RGB // 8, -1, 0).copy()
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        planes,
        photometric="minisblack",
        metadata={"axes": "CYX", "Channel": {"Name": names}},
    )
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.info.is_rgb


@pytest.mark.parametrize(
    ("low", "high", "is_rgb"), [(60, 200, True), (180, 250, True), (0, 200, False), (0, 60, False)]
)
def test_three_planes_without_names_are_told_by_their_ground(
    tmp_path: Path, low: int, high: int, is_rgb: bool
) -> None:
    rng = np.random.default_rng(0)
    planes = rng.integers(low, high, (3, 12, 12)).repeat(20, 1).repeat(20, 2).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="minisblack")
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.info.is_rgb is is_rgb
        assert any("three planes without names" in warning for warning in slide.info.warnings)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_transparent_parts_of_a_deep_mask_are_outside(tmp_path: Path, dtype: str) -> None:
    mask = np.full((40, 50, 4), np.iinfo(dtype).max, dtype)
    mask[:20, :, 3] = 0
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, mask, photometric="rgb", extrasamples=["unassalpha"])
    with open_mask(path) as slide:
        pixels = slide.read(slide.frame).pixels
    assert len(pixels) == 3
    assert not pixels[:, :20].any()
    assert pixels[:, 20:].all()


#: Colours of labels, the ground in white, and a palette that stores greys from bright to dark.
COLOURS = np.array([[255, 255, 255], [255, 0, 0], [0, 90, 255]], np.uint8)
GREYS = np.array([[255, 255, 255], [120, 120, 120], [0, 0, 0]], np.uint8)


@pytest.mark.parametrize("kind", ["png", "transparent.png", "bmp", "tif"])
@pytest.mark.parametrize("palette", [COLOURS, GREYS], ids=["colours", "greys"])
def test_of_labels_with_a_palette_of_colours_the_numbers_are_read(
    tmp_path: Path, kind: str, palette: Array
) -> None:
    labels = np.arange(60 * 50).reshape(60, 50).astype(np.uint8) // 10 % 3
    path = tmp_path / f"labels.{kind}"
    if kind == "tif":
        colormap = np.zeros((3, 256), np.uint16)
        colormap[:, :3] = palette.T.astype(np.uint16) * 257
        tifffile.imwrite(path, labels, photometric="palette", colormap=colormap)
    else:
        picture = Image.fromarray(labels)
        picture.putpalette(palette.ravel().tolist())
        picture.save(path, **({"transparency": 0} if kind == "transparent.png" else {}))
    with open_mask(path) as slide:
        pixels = read_whole(slide)
        assert pixels.shape[2] == len(slide.info.channels)
    if palette is COLOURS:
        np.testing.assert_array_equal(pixels, labels[..., None])
    elif kind != "transparent.png":
        np.testing.assert_array_equal(pixels, palette[labels])
    np.testing.assert_array_equal(read(path)[labels > 0], palette[labels[labels > 0]])


#: Orders of three planes: which of red, green and blue each one is.
ORDERS = [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "names", [("Red", "Green", "Blue"), ("R", "G", "B"), ("TL red", "TL green", "TL blue")]
)
@pytest.mark.parametrize("container", ["ome.tif", "ome.zarr", "last.ome.zarr"])
def test_named_planes_of_a_colour_picture_are_sorted(
    tmp_path: Path, order: tuple[int, ...], names: tuple[str, ...], container: str
) -> None:
    path = tmp_path / f"a.{container}"
    stored = [names[place] for place in order]
    planes = np.moveaxis(RGB, -1, 0)[list(order)]
    if container == "ome.tif":
        tifffile.imwrite(
            path, planes, photometric="minisblack", tile=(64, 64),
            metadata={"axes": "CYX", "Channel": {"Name": stored}},
        )  # fmt: skip
    else:
        _write_labelled_zarr(path, planes, stored, is_last=container.startswith("last"))
    with open_slide(path) as slide:
        assert slide.info.is_rgb
        np.testing.assert_array_equal(read_whole(slide), RGB)
        part = slide.read(slide.frame.crop(30, 20, 40, 50)).pixels
    np.testing.assert_array_equal(np.moveaxis(part, 0, -1), RGB[20:70, 30:70])


def _write_labelled_zarr(path: Path, planes: Array, names: list[str], is_last: bool) -> None:
    """Write an OME-Zarr of one level whose channels are named; they may be the last axis."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=np.moveaxis(planes, 0, -1) if is_last else planes)
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    axes.insert(2 if is_last else 0, {"name": "c", "type": "channel"})
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0]}
    dataset = {"path": "0", "coordinateTransformations": [scale]}
    channels = [{"label": name, "color": "FFFFFF"} for name in names]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [dataset], "version": "0.4"}]
    group.attrs["omero"] = {"channels": channels}


@pytest.mark.parametrize("orientation", [3, 6])
def test_an_orientation_is_not_applied_and_said_so(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.tif"
    pixels = texture(40, 60, 3)
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    with open_slide(path) as slide:
        np.testing.assert_array_equal(np.moveaxis(slide.read(slide.frame).pixels, 0, -1), pixels)
        assert any("orientation is not applied" in warning for warning in slide.info.warnings)
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, 1, True)])
    with open_slide(path) as slide:
        assert not any("orientation" in warning for warning in slide.info.warnings)
