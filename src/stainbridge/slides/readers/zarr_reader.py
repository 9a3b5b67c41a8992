"""Read OME-Zarr (0.4, 0.5) and plain Zarr arrays, in a folder or a .zip."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore, ZipStore

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides.readers.channels import RGB, find_rgb_places, recognise_rgb, sort_rgb
from stainbridge.slides.readers.file_slide import FileSlide
from stainbridge.slides.readers.icc import from_zarr_attributes
from stainbridge.slides.readers.levels import place_levels
from stainbridge.slides.readers.magic import ZARR_NODE_FILES
from stainbridge.slides.readers.mosaic import Mosaic
from stainbridge.slides.readers.ngff import Multiscale, guess_axes, parse_multiscale
from stainbridge.slides.readers.pixel_size import choose_pixel_size
from stainbridge.slides.readers.resample import Interleaved
from stainbridge.slides.readers.sampled_places import is_bright_field
from stainbridge.slides.readers.tile_cache import TileCache
from stainbridge.slides.readers.zarr_guard import CheckedStore, guard_array
from stainbridge.slides.readers.zarr_level import ZarrLevel
from stainbridge.slides.slide import SlideInfo

#: Decoded tiles that are kept of one slide, in bytes.
CACHE_BYTES = 64 * 2**20


class ZarrSlide(FileSlide):
    """A slide in a Zarr store. See `open_zarr`."""

    def __init__(
        self,
        info: SlideInfo,
        frames: tuple[Frame, ...],
        stain: str | None,
        stored: tuple[Mosaic, ...],
        store: LocalStore | ZipStore,
        rgb_places: tuple[int, ...] | None,
    ) -> None:
        super().__init__(info, frames, stain)
        self._stored = stored
        self._rgb_places = rgb_places
        self._store = store

    def _region(self, level: int, x: int, y: int, width: int, height: int) -> Interleaved:
        return sort_rgb(self._stored[level].region(x, y, width, height), self._rgb_places)

    def _release(self) -> None:
        self._store.close()
        self._stored[0].cache.clear()


def open_zarr(path: Path, *, mpp: float | None = None, stain: str | None = None) -> ZarrSlide:
    """Open an OME-Zarr image, or a Zarr group or array that holds one picture.

    Of a z-stack the middle plane is read, of a time series the first. An array without named axes
    is (Y, X), (Y, X, C) where its last axis has 3 or 4 entries, (C, Y, X), (Z, C, Y, X) or (T, C,
    Z, Y, X).

    Raises `InputError` for a store that is damaged, not Zarr, or holds no picture or several.
    """
    store, root = _open_store(path)
    try:
        slide = _make_slide(
            zarr.open(CheckedStore(store), path=root, mode="r"), path, store, mpp, stain
        )
        return slide.remember_opener(open_zarr, path, mpp=mpp, stain=stain)
    except InputError:
        store.close()
        raise
    # damaged metadata makes zarr raise nearly anything
    except Exception as error:
        store.close()
        raise InputError("not a readable Zarr", where=path, got=error) from error


def _open_store(path: Path) -> tuple[LocalStore | ZipStore, str]:
    """Return the store, and the path in it of its outermost node.

    A zip often holds the folder, not its contents.
    """
    if path.is_dir():
        return LocalStore(path, read_only=True), ""
    try:
        with zipfile.ZipFile(path) as archive:
            nodes = [
                name for name in archive.namelist() if name.rpartition("/")[2] in ZARR_NODE_FILES
            ]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError("the zip is damaged or truncated", where=path, got=error) from error
    if not nodes:
        raise InputError("a zip that holds no Zarr", where=path, expected="a zipped OME-Zarr")
    outermost = min(nodes, key=lambda name: name.count("/")).rpartition("/")[0]
    return ZipStore(path, mode="r", read_only=True), outermost


def _make_slide(
    node: Any, path: Path, store: LocalStore | ZipStore, mpp: float | None, stain: str | None
) -> ZarrSlide:
    image, arrays, name = _find_image(node, path)
    cache = TileCache(CACHE_BYTES)
    levels = [
        ZarrLevel(guard_array(array), image.axes, f"{path}, level {i}")
        for i, array in enumerate(arrays)
    ]
    stored = tuple(
        Mosaic(level.size, level.tile_size, level.channels, level.dtype, level.tile, cache, i)
        for i, level in enumerate(levels)
    )
    first = levels[0]
    pixel = choose_pixel_size(image.claim, first.size, mpp)
    named = image.channels_for(first.channels, first.dtype, first.interleaved)
    channels, guesses = recognise_rgb(
        named,
        first.dtype,
        lambda: is_bright_field(stored[-1]),
    )
    info = SlideInfo(
        str(path),
        "zarr",
        name,
        None,
        first.dtype,
        channels,
        warnings=(*first.warnings, *guesses, *pixel.warnings),
        icc_profile=from_zarr_attributes(dict(node.attrs)) if channels == RGB else None,
    )
    frame = Space(
        path.name, first.size[1], first.size[0], pixel.mpp, calibrated=pixel.calibrated
    ).frame
    frames = place_levels(frame, [level.size for level in levels])
    places = find_rgb_places(named) if channels == RGB else None
    return ZarrSlide(info, frames, stain, stored, store, places)


def _find_image(node: Any, path: Path) -> tuple[Multiscale, list[Any], str]:
    """Return what a node's metadata says of its picture, its arrays, and the format's name.

    The arrays are finest first.
    """
    if isinstance(node, zarr.Array):
        return Multiscale(guess_axes(node.shape, path)), [node], "Zarr"
    image = parse_multiscale(dict(node.attrs))
    if image is not None:
        return image, [_get_array(node, name, path) for name in image.paths], "OME-Zarr"
    arrays = [array for _, array in node.arrays()]
    if len(arrays) == 1:
        return Multiscale(guess_axes(arrays[0].shape, path)), arrays, "Zarr"
    series = [
        group for _, group in node.groups() if parse_multiscale(dict(group.attrs)) is not None
    ]
    if series and not arrays:  # bioformats2raw: numbered images, the first is the slide
        return _find_image(series[0], path)
    raise InputError(
        "no picture, or several, in this Zarr",
        where=path,
        expected="one",
        got=f"{len(arrays)} arrays",
    )


def _get_array(node: Any, name: str, path: Path) -> Any:
    try:
        array = node[name]
    except KeyError:
        array = None
    if not isinstance(array, zarr.Array):
        raise InputError(
            "a level is missing from this OME-Zarr", where=path, expected=f"an array '{name}'"
        )
    return array
