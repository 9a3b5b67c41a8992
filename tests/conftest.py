"""Small slides of many formats, generated: the same picture in each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from hypothesis import settings
from PIL import Image
from tests.tissue import tissue, workplace

__all__ = ["tissue", "workplace"]  # fixtures for all tests

# A run that was started with `nohup ... &` ignores Ctrl-C; tests of interruptions need it, and so
# do the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

#: Seconds of a test that is marked as slow; of any other: see pyproject.toml.
SLOW_TEST_LIMIT_S = 3600

Array = npt.NDArray[Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_TEST_LIMIT_S))


WIDTH, HEIGHT = 803, 601  # odd, so that halving has to round
MPP = 0.25
CHANNELS = ("DAPI", "CD3", "CD8", "autofluorescence")
APERIO = (
    "Aperio Image Library v12.0.15\r\n803x601 [0,0 803x601] (128x128) JPEG/RGB Q=90"
    "|AppMag = 40|MPP = 0.2500"
)


def texture(height: int, width: int, channels: int, seed: int = 7) -> Array:
    """Return blobs of several sizes on a light ground, (H, W, C) uint8.

    The small ones are grey, so that JPEG keeps them.
    """
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, channels), np.float32)
    for sigma, weight, colours in ((1.0, 8.0, 1), (4.0, 25.0, 1), (20.0, 30.0, channels)):
        noise = cv2.GaussianBlur(
            generator.normal(size=(height, width, colours)).astype(np.float32), (0, 0), sigma
        )
        total += noise.reshape(height, width, colours) * (weight / noise.std())
    return np.clip(190 + total, 0, 255).astype(np.uint8)


def halved(picture: Array) -> Array:
    """(H, W, C) at half the size, rounded down as many writers do."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    small = cv2.resize(
        picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
    )
    return small.reshape(height, width, -1)


def levels_of(picture: Array, count: int = 4) -> list[Array]:
    levels = [picture]
    for _ in range(count - 1):
        levels.append(halved(levels[-1]))
    return levels


@dataclass(frozen=True)
class Sample:
    """A generated file; it stores `levels`, arrays (H, W, C), exactly unless `lossy`."""

    path: Path
    levels: list[Array]
    reader: str
    format: str
    calibrated: bool = True
    lossy: bool = False


def _plain_pyramid(folder: Path, picture: Array) -> Sample:
    levels = levels_of(picture)
    path = folder / "plain.tif"
    with tifffile.TiffWriter(path) as writer:
        for i, level in enumerate(levels):
            per_cm = 1e4 / MPP / 2**i
            writer.write(
                level, tile=(128, 128), compression="zlib", photometric="rgb",
                subfiletype=min(i, 1), metadata=None,
                resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
            )  # fmt: skip
    return Sample(path, levels, "tifffile", "TIFF")


def _ome_rgb(folder: Path, picture: Array) -> Sample:
    levels = levels_of(picture)
    path = folder / "rgb.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 250.0, "PhysicalSizeY": 250.0}
    metadata |= {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm"}
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (128, 128), "compression": "zstd", "photometric": "rgb"}
        writer.write(picture, subifds=len(levels) - 1, metadata=metadata, **options)
        for level in levels[1:]:
            writer.write(level, subfiletype=1, **options)
    return Sample(path, levels, "tifffile", "OME-TIFF")


def _ome_fluorescence(folder: Path, picture: Array) -> Sample:
    base = texture(*picture.shape[:2], 4, seed=3).astype(np.uint16) * 257
    levels = levels_of(base)
    path = folder / "fluorescence.ome.tif"
    colours = [0x0000FFFF, 0x00FF00FF, 0xFF0000FF - 2**32, -1]  # red, green, blue, alpha; signed
    metadata = {
        "axes": "CYX", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP,
        "Channel": {"Name": list(CHANNELS), "Color": colours},
    }  # fmt: skip
    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as writer:
        options = {"tile": (128, 128), "compression": "lzw", "photometric": "minisblack"}
        writer.write(
            np.moveaxis(base, -1, 0), subifds=len(levels) - 1, metadata=metadata, **options
        )
        for level in levels[1:]:
            writer.write(np.moveaxis(level, -1, 0), subfiletype=1, **options)
    return Sample(path, levels, "tifffile", "OME-TIFF")


def _aperio(folder: Path, picture: Array) -> Sample:
    levels = levels_of(picture, 3)
    path = folder / "aperio.svs"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for i, level in enumerate(levels):
            writer.write(
                level, tile=(128, 128), compression="jpeg", compressionargs={"level": 95},
                photometric="rgb", description=APERIO, metadata=None,
            )  # fmt: skip
            if i == 0:
                thumbnail = np.ascontiguousarray(
                    cv2.resize(picture, (133, 100), interpolation=cv2.INTER_AREA)
                )
                writer.write(
                    thumbnail, photometric="rgb", description=APERIO, metadata=None, rowsperstrip=16
                )
    return Sample(path, levels, "tifffile", "SVS", lossy=True)


def _raw_strips(folder: Path, picture: Array) -> Sample:
    path = folder / "raw.tif"
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=37, metadata=None)
    return Sample(path, [picture], "tifffile", "TIFF", calibrated=False)


def _png(folder: Path, picture: Array) -> Sample:
    path = folder / "picture.png"
    Image.fromarray(picture).save(path)
    return Sample(path, [picture], "pillow", "PNG", calibrated=False)


def _jpeg(folder: Path, picture: Array) -> Sample:
    path = folder / "picture.jpg"
    Image.fromarray(picture).save(path, quality=95)
    return Sample(path, [picture], "pillow", "JPEG", calibrated=False, lossy=True)


def write_ngff(path: Path, levels: list[Array], version: str) -> None:
    """An OME-Zarr image of (H, W, C) levels, axes c, y, x."""
    zarr_format: Any = 2 if version == "0.4" else 3
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    datasets = []
    for i, level in enumerate(levels):
        data = np.ascontiguousarray(np.moveaxis(level, -1, 0))
        group.create_array(str(i), data=data, chunks=(1, 200, 150))
        scale = [1.0, MPP * 2**i, MPP * 2**i]
        datasets.append(
            {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    names = ("R", "G", "B") if levels[0].shape[2] == 3 else CHANNELS
    omero = {"channels": [{"label": name, "color": "00FF00"} for name in names]}
    image = {
        "multiscales": [{"axes": axes, "datasets": datasets, "version": version}],
        "omero": omero,
    }
    group.attrs.update(image if version == "0.4" else {"ome": image})


def _ngff(folder: Path, picture: Array) -> Sample:
    levels = levels_of(picture, 3)
    path = folder / "image.ome.zarr"
    write_ngff(path, levels, "0.4")
    return Sample(path, levels, "zarr", "OME-Zarr")


def _ngff_05(folder: Path, picture: Array) -> Sample:
    levels = levels_of(picture, 3)
    path = folder / "image5.ome.zarr"
    write_ngff(path, levels, "0.5")
    return Sample(path, levels, "zarr", "OME-Zarr")


WRITERS: dict[str, Callable[[Path, Array], Sample]] = {
    "plain pyramid": _plain_pyramid,
    "ome rgb": _ome_rgb,
    "ome fluorescence": _ome_fluorescence,
    "aperio": _aperio,
    "raw strips": _raw_strips,
    "png": _png,
    "jpeg": _jpeg,
    "ngff 0.4": _ngff,
    "ngff 0.5": _ngff_05,
}


@pytest.fixture(scope="session")
def picture() -> Array:
    """The picture in the generated slides, (H, W, 3) uint8."""
    return texture(HEIGHT, WIDTH, 3)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, picture: Array) -> dict[str, Sample]:
    """One generated slide of each format, by the names of `WRITERS`."""
    folder = tmp_path_factory.mktemp("slides")
    return {name: write(folder, picture) for name, write in WRITERS.items()}


@pytest.fixture(params=list(WRITERS))
def sample(request: pytest.FixtureRequest, samples: dict[str, Sample]) -> Sample:
    """Each generated slide in turn."""
    return samples[request.param]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder that STAINBRIDGE_DATA names; skip the test where there is none."""
    folder = os.environ.get("STAINBRIDGE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("STAINBRIDGE_DATA names no folder")
    return Path(folder)
