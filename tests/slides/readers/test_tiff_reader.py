"""Kinds of TIFF beyond the common ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.conftest import Array, texture

from stainbridge.errors import InputError
from stainbridge.slides import Slide, open_slide
from stainbridge.slides.readers.tiff_levels import Segments


def write_tiff(path: Path, pixels: Array, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **({"metadata": None} | options))
    return path


def read_whole(slide: Slide) -> Array:
    """(H, W, C)."""
    return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slide.tif"


RGB = texture(150, 230, 3)
GREY = RGB[..., 0]
DEEP = GREY.astype(np.uint16) * 200


@pytest.mark.parametrize(
    "options",
    [
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
        {"tile": (32, 48)},
        {"tile": (32, 48), "compression": "lzw"},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "tile": (64, 64), "compression": "zstd"},
        {"byteorder": ">", "rowsperstrip": 150},
        {"compression": "webp", "compressionargs": {"lossless": True}, "tile": (64, 64)},
        {"compression": "jpeg2000", "tile": (64, 64)},
        {"bigtiff": True, "compression": "packbits", "rowsperstrip": 10},
    ],
)
def test_rgb_in_every_arrangement(path: Path, options: dict[str, Any]) -> None:
    pixels = np.moveaxis(RGB, -1, 0) if options.get("planarconfig") == "separate" else RGB
    with open_slide(
        write_tiff(path, np.ascontiguousarray(pixels), photometric="rgb", **options)
    ) as slide:
        assert slide.info.is_rgb
        np.testing.assert_array_equal(read_whole(slide), RGB)
        part = slide.read(slide.frame.crop(33, 41, 20, 50)).pixels
        np.testing.assert_array_equal(np.moveaxis(part, 0, -1), RGB[41:91, 33:53])


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64]
)
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib", "tile": (64, 64)}, {"byteorder": ">"}]
)
def test_sample_types_are_kept(path: Path, dtype: Any, options: dict[str, Any]) -> None:
    with open_slide(
        write_tiff(path, GREY.astype(dtype), photometric="minisblack", **options)
    ) as slide:
        assert slide.info.dtype == dtype
        assert [channel.name for channel in slide.info.channels] == ["grey"]
        np.testing.assert_array_equal(read_whole(slide)[..., 0], GREY.astype(dtype))
        assert read_whole(slide).dtype.isnative


def test_half_precision_is_widened(path: Path) -> None:
    with open_slide(write_tiff(path, GREY.astype(np.float16), photometric="minisblack")) as slide:
        assert slide.info.dtype == np.float32
        np.testing.assert_array_equal(read_whole(slide)[..., 0], GREY)


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64), "compression": "zlib"}])
def test_inverted_greys_are_turned(path: Path, options: dict[str, Any]) -> None:
    with open_slide(write_tiff(path, DEEP, photometric="miniswhite", **options)) as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], 65535 - DEEP)


def test_black_and_white_is_0_and_255(path: Path) -> None:
    with open_slide(write_tiff(path, GREY > 180, photometric="minisblack")) as slide:
        np.testing.assert_array_equal(read_whole(slide)[..., 0], np.where(GREY > 180, 255, 0))


def test_palettes_are_expanded(path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    with open_slide(write_tiff(path, GREY, photometric="palette", colormap=colours * 257)) as slide:
        assert slide.info.is_rgb
        np.testing.assert_array_equal(read_whole(slide), colours.T[GREY])


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64), "compression": "zlib"}])
def test_alpha_is_shown_over_white(path: Path, options: dict[str, Any]) -> None:
    rgba = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])
    rgba[:50, :, 3] = 0
    rgba[50:100, :, 3] = 51
    with open_slide(
        write_tiff(path, rgba, photometric="rgb", extrasamples=["unassalpha"], **options)
    ) as slide:
        assert slide.info.is_rgb
        shown = read_whole(slide)
    assert (shown[:50] == 255).all()
    np.testing.assert_array_equal(shown[100:], RGB[100:])
    np.testing.assert_array_equal(
        shown[50:100], np.rint(RGB[50:100] * np.float32(0.2) + np.float32(204))
    )


def test_four_samples_of_16_bits_are_four_channels(path: Path) -> None:
    pixels = np.dstack([DEEP, DEEP // 2, DEEP // 3, DEEP // 4])
    with open_slide(
        write_tiff(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    ) as slide:
        assert len(slide.info.channels) == 4
        np.testing.assert_array_equal(read_whole(slide), pixels)


def test_left_out_tiles_are_background(path: Path) -> None:
    def tiles() -> Any:
        for i in range(12):
            yield None if i == 5 else np.full((64, 64, 3), i, np.uint8)

    tifffile.imwrite(
        path,
        tiles(),
        shape=(192, 256, 3),
        dtype=np.uint8,
        tile=(64, 64),
        photometric="rgb",
        compression="zlib",
    )
    with open_slide(path) as slide:
        pixels = read_whole(slide)
    assert (pixels[64:128, 64:128] == 255).all()
    assert (pixels[64:128, 128:192] == 6).all()


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "tile": (64, 64)}])
def test_of_a_z_stack_the_middle_plane_is_read(
    tmp_path: Path, axes: str, options: dict[str, Any]
) -> None:
    planes = {(z, c): DEEP + 100 * z + 7 * c for z in range(5) for c in range(3)}
    order = [[planes[z, c] for c in range(3)] for z in range(5)]
    stack = np.array(order if axes[0] == "Z" else list(zip(*order, strict=True)), np.uint16)
    path = tmp_path / "stack.ome.tif"
    write_tiff(path, stack, ome=True, photometric="minisblack", metadata={"axes": axes}, **options)
    with open_slide(path) as slide:
        assert len(slide.info.channels) == 3
        np.testing.assert_array_equal(
            read_whole(slide), np.dstack([planes[2, c] for c in range(3)])
        )
        assert "z-stack of 5 planes: plane 3" in slide.info.warnings[0]


def test_imagej_hyperstacks_and_their_pixel_size(path: Path) -> None:
    stack = np.stack([DEEP, DEEP // 2])[None]
    tifffile.imwrite(
        path, stack, imagej=True, resolution=(4.0, 4.0), metadata={"axes": "ZCYX", "unit": "um"}
    )  # stored back to back behind a single directory
    with open_slide(path) as slide:
        assert slide.info.format == "ImageJ TIFF"
        assert slide.frame.mpp == (0.25, 0.25)
        np.testing.assert_array_equal(read_whole(slide), np.dstack([DEEP, DEEP // 2]))


def test_pages_without_a_meaning_are_channels(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, 2, 3):
            writer.write(
                DEEP // factor, photometric="minisblack", metadata=None, compression="zlib"
            )
    with open_slide(path) as slide:
        assert [channel.name for channel in slide.info.channels] == [
            "Channel 1",
            "Channel 2",
            "Channel 3",
        ]
        np.testing.assert_array_equal(read_whole(slide), np.dstack([DEEP, DEEP // 2, DEEP // 3]))


def test_a_pyramid_behind_ome_metadata_of_one_plane(path: Path) -> None:
    """As libvips writes it: the description names one plane, the levels are further pages."""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" SizeC="3" SizeT="1" '
        'SizeX="230" SizeY="150" SizeZ="1" Type="uint8" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="3"/>'
        '<TiffData IFD="0"/></Pixels></Image></OME>'
    )
    with tifffile.TiffWriter(path) as writer:
        for i, step in enumerate((1, 2, 4)):
            description = xml if i == 0 else None
            writer.write(
                RGB[: 150 // step * step : step, : 230 // step * step : step],
                tile=(64, 64),
                photometric="rgb",
                metadata=None,
                description=description,
                subfiletype=min(i, 1),
            )
    with open_slide(path) as slide:
        assert slide.info.format == "OME-TIFF"
        assert [level.mpp[0] for level in slide.levels] == [0.5, 1.0, 2.0]
        assert [level.width for level in slide.levels] == [230, 115, 57]
        np.testing.assert_array_equal(read_whole(slide), RGB)


def test_qptiff_channels(path: Path) -> None:
    def description(name: str, colour: str) -> str:
        return (
            '<?xml version="1.0" encoding="utf-8"?><PerkinElmer-QPI-ImageDescription>'
            f"<ImageType>FullResolution</ImageType><Name>{name}</Name><Color>{colour}</Color>"
            "</PerkinElmer-QPI-ImageDescription>"
        )

    names = (("DAPI", "0,0,255"), ("Opal 520", "0,255,0"))
    with tifffile.TiffWriter(path) as writer:
        options: dict[str, Any] = {
            "photometric": "minisblack",
            "metadata": None,
            "software": "PerkinElmer-QPI",
        }
        options |= {
            "resolution": (20_000, 20_000),
            "resolutionunit": "CENTIMETER",
            "compression": "zlib",
        }
        for i, of in enumerate(names):
            writer.write(
                DEEP[:128, :224] + i, tile=(32, 32), description=description(*of), **options
            )
        writer.write(
            RGB[::4, ::4],
            photometric="rgb",
            metadata=None,
            description=description("thumbnail", ""),
        )
        for i, of in enumerate(names):
            writer.write(
                DEEP[:128:2, :224:2] + i, tile=(32, 32), description=description(*of), **options
            )
    with open_slide(path) as slide:
        assert slide.info.format == "QPTIFF"
        assert slide.frame.mpp == (0.5, 0.5)
        assert [(c.name, c.colour) for c in slide.info.channels] == [
            ("DAPI", (0, 0, 255)),
            ("Opal 520", (0, 255, 0)),
        ]
        assert [level.width for level in slide.levels] == [224, 112]
        np.testing.assert_array_equal(read_whole(slide)[..., 1], DEEP[:128, :224] + 1)


def test_an_aperio_objective_stands_in_for_a_pixel_size(path: Path) -> None:
    write_tiff(
        path,
        RGB,
        tile=(64, 64),
        photometric="rgb",
        description="Aperio Image Library v12\r\nx|AppMag = 20",
    )
    with open_slide(path) as slide:
        assert slide.frame.mpp == (0.5, 0.5)
        assert "20x objective" in slide.info.warnings[0]


def test_colours_that_are_not_read_are_refused(path: Path) -> None:
    cmyk = np.dstack([RGB, GREY]).astype(np.uint16)
    with pytest.raises(InputError, match="CMYK"):
        open_slide(write_tiff(path, cmyk, photometric="separated"))


def test_complex_numbers_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match="sample type"):
        open_slide(write_tiff(path, GREY.astype(np.complex64), photometric="minisblack"))


def test_volumes_are_refused(path: Path) -> None:
    volume = np.zeros((32, 64, 64), np.uint8)
    with pytest.raises(InputError, match="layout"):
        open_slide(
            write_tiff(path, volume, photometric="minisblack", tile=(16, 32, 32), volumetric=True)
        )


def test_memory_stays_flat_while_a_large_file_is_shrunk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stainbridge.slides.readers import pyramid_slide as base

    monkeypatch.setattr(base, "BLOCK_BYTES", 2**20)
    side = 4096
    write_tiff(
        path,
        np.tile(GREY, (28, 18))[:side, :side],
        photometric="minisblack",
        compression="zlib",
        tile=(256, 256),
    )
    with open_slide(path) as slide:
        largest = 0
        region = slide._region  # type: ignore[attr-defined]

        def spy(level: int, x: int, y: int, width: int, height: int) -> Array:
            nonlocal largest
            largest = max(largest, width * height)
            return np.asarray(region(level, x, y, width, height))

        monkeypatch.setattr(slide, "_region", spy)
        small = slide.read(slide.frame.fit(100)).pixels
    assert largest < 2 * 2**20 < side * side
    assert abs(small.mean() - GREY.mean()) < 2


def test_an_image_in_several_files(tmp_path: Path) -> None:
    names = ["a.ome.tif", "b.ome.tif"]
    parts = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{c}</UUID></TiffData>'
        for c, name in enumerate(names)
    )
    for c, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{c}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            'SizeC="2" SizeT="1" SizeX="230" SizeY="150" SizeZ="1" Type="uint16">'
            '<Channel ID="Channel:0:0" Name="x"/>'
            f'<Channel ID="Channel:0:1" Name="y"/>{parts}</Pixels></Image></OME>'
        )
        write_tiff(
            tmp_path / name,
            DEEP // (c + 1),
            photometric="minisblack",
            description=xml,
            tile=(64, 64),
        )
    with open_slide(tmp_path / names[0]) as slide:
        assert [channel.name for channel in slide.info.channels] == ["x", "y"]
        np.testing.assert_array_equal(read_whole(slide), np.dstack([DEEP, DEEP // 2]))
    (tmp_path / names[1]).unlink()
    with pytest.raises(InputError, match=r"a\.ome\.tif: planes are missing"):
        open_slide(tmp_path / names[0])


def test_blank_tiles_are_decoded_once_and_what_is_read_can_be_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((512, 1024, 3), 240, np.uint8)
    pixels[40:90, 600:700] = 90
    path = tmp_path / "glass.tiff"
    tifffile.imwrite(path, pixels, tile=(256, 256), compression="jpeg", photometric="rgb")
    decoded = []

    def count(decode: Callable[..., Any]) -> Callable[..., Any]:
        def counted(segments: Segments, data: bytes, *index: int) -> Any:
            decoded.append(data)
            return decode(segments, data, *index)

        return counted

    for name in ("_decode_bytes", "_decode_undamaged"):
        monkeypatch.setattr(Segments, name, count(getattr(Segments, name)))
    with open_slide(path) as slide:
        decoded.clear()
        glass = slide.read(slide.frame.crop(0, 0, 512, 512)).pixels
        assert len(decoded) <= 1
        whole = slide.read(slide.frame).pixels
        assert len(decoded) <= 2
    np.testing.assert_array_equal(glass, whole[:, :, :512])
    np.testing.assert_allclose(np.moveaxis(whole, 0, -1), pixels, atol=12)
    glass[:, 3, 4] = 0
    assert (glass[:, 0, 0] != 0).all()
