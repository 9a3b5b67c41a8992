"""Open a slide of any format: the back-end is chosen by what the file holds, not by its name alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.slide import Slide

TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
ZIP_MAGIC = b"PK\x03\x04"
#: Formats of OpenSlide that are plain tiled TIFF. tifffile gives the same pixels, three times as
#: fast, and knows more of a generic one. Aperio files with tiles left out, or in Aperio's own JPEG
#: 2000, are better left to OpenSlide.
GENERIC, APERIO = "generic-tiff", "aperio"


def open_slide(path: str | Path, *, mpp: float | None = None, stain: str | None = None) -> Slide:
    """Open the slide at `path`.

    `mpp` (µm per full-resolution pixel) overrides the file's pixel size; `stain` is a free name
    such as "HE". Formats: those of OpenSlide; TIFF, OME-TIFF, QPTIFF; PNG, JPEG, BMP, WebP;
    OME-Zarr and plain Zarr, as a folder or zipped. A pixel size that cannot be one is not believed:
    the slide then has `calibrated=False` and a line in `info.warnings`. Raises `InputError` for a
    file that is missing, empty, damaged or of another kind.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, mpp, stain)
    magic = _first_bytes(path)
    if magic.startswith(ZIP_MAGIC):
        from stainbridge.slides.readers.zarr_reader import open_zarr

        return open_zarr(path, mpp=mpp, stain=stain)
    return _open_file(path, magic, mpp, stain)


def _open_file(path: Path, magic: bytes, mpp: float | None, stain: str | None) -> Slide:
    from stainbridge.slides.readers.raster_reader import is_raster, open_raster

    # an .mrxs file is a small JPEG beside its folder; other pictures need not be shown to OpenSlide
    if is_raster(magic) and path.suffix.lower() != ".mrxs":
        return open_raster(path, mpp=mpp, stain=stain)
    from stainbridge.slides.readers.openslide_reader import open_vendor, detect_vendor

    is_tiff = magic.startswith(TIFF_MAGIC)
    vendor = detect_vendor(path)
    if is_tiff:
        return _open_tiff(path, vendor, mpp, stain)
    if vendor is not None:
        return open_vendor(path, vendor, mpp=mpp, stain=stain)
    if is_raster(magic):
        return open_raster(path, mpp=mpp, stain=stain)
    raise InputError(
        "not a slide or image of a known format",
        where=path,
        expected="SVS, NDPI, MRXS, SCN, DICOM, TIFF, PNG, JPEG, BMP, WebP or Zarr",
        got=f"a file that begins with {magic[:8]!r}",
    )


def _open_tiff(path: Path, vendor: str | None, mpp: float | None, stain: str | None) -> Slide:
    from stainbridge.slides.readers.openslide_reader import open_vendor
    from stainbridge.slides.readers.tiff_reader import open_tiff

    if vendor in (None, GENERIC):
        return open_tiff(path, mpp=mpp, stain=stain)
    if vendor == APERIO:
        with suppress(InputError):
            return open_tiff(path, mpp=mpp, stain=stain, sparse=False)
    try:
        return open_vendor(path, str(vendor), mpp=mpp, stain=stain)
    except InputError as refusal:
        # fluorescence in a vendor's TIFF, which OpenSlide does not read
        with suppress(InputError):
            return open_tiff(path, mpp=mpp, stain=stain)
        raise refusal


def _open_folder(path: Path, mpp: float | None, stain: str | None) -> Slide:
    from stainbridge.slides.readers.zarr_reader import is_zarr_folder, open_zarr

    if is_zarr_folder(path):
        return open_zarr(path, mpp=mpp, stain=stain)
    raise InputError(
        "a folder is not a slide", where=path, expected="a slide file or a Zarr folder"
    )


def _first_bytes(path: Path) -> bytes:
    """The first 16 bytes.

    Raises `InputError` when there is no such file, it is empty or may not be read.
    """
    if not path.exists():
        raise MissingFileError("no such file", where=path)
    try:
        with path.open("rb") as file:
            magic = file.read(16)
    except OSError as error:
        raise InputError("the file cannot be read", where=path, got=error.strerror) from error
    if not magic:
        raise InputError("the file is empty", where=path)
    return magic
