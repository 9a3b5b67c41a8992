"""The table of readers: what each claims, and how it opens a slide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from stainbridge.slides.readers.magic import is_raster, is_tiff, is_zarr
from stainbridge.slides.slide import Slide


class OpenFunction(Protocol):
    """Opens the slide at a path; raises `InputError` when it cannot."""

    def __call__(self, path: Path, *, mpp: float | None, stain: str | None) -> Slide:
        """Open `path`; `mpp` overrides the file's pixel size, in µm."""
        ...


@dataclass(frozen=True)
class Reader:
    """One way to open a slide."""

    name: str
    """What `SlideInfo.reader` calls it."""
    claims: Callable[[Path, bytes], bool]
    """Whether it opens the file at a path that begins with these bytes; a folder has none."""
    open: OpenFunction
    """Opens what it claimed."""


def load_when_called(module: str, function: str) -> OpenFunction:
    """Return a function of a module of this folder; the module is imported when it is called.

    Readers import codecs, which take long to load: only the one that is needed is imported.
    """

    def open_with_module(path: Path, *, mpp: float | None, stain: str | None) -> Slide:
        opener = getattr(import_module(f"{__package__}.{module}"), function)
        return cast(Slide, opener(path, mpp=mpp, stain=stain))

    return open_with_module


def _is_picture(path: Path, header: bytes) -> bool:
    """Return whether it is an ordinary picture, and not the JPEG that an MRXS slide is named by."""
    return is_raster(header) and not (path.suffix.lower() == ".mrxs" and _is_vendor(path, header))


def _is_vendor(path: Path, header: bytes) -> bool:
    from stainbridge.slides.readers.openslide_reader import detect_vendor

    return bool(header) and detect_vendor(path) is not None


def _is_dicom_folder(path: Path, header: bytes) -> bool:
    if header or not path.is_dir():
        return False
    from stainbridge.slides.readers.dicom_folder import is_dicom_folder

    return is_dicom_folder(path, header)


#: The first one that claims a file opens it.
READERS: tuple[Reader, ...] = (
    Reader("zarr", is_zarr, load_when_called("zarr_reader", "open_zarr")),
    Reader("openslide", _is_dicom_folder, load_when_called("dicom_folder", "open_dicom_folder")),
    Reader("pillow", _is_picture, load_when_called("raster_reader", "open_raster")),
    Reader(
        "tifffile", lambda _, header: is_tiff(header), load_when_called("any_tiff", "open_any_tiff")
    ),
    Reader("openslide", _is_vendor, load_when_called("openslide_reader", "open_vendor")),
)
