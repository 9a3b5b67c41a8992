"""Formats told by the first bytes of a file, without importing what reads them."""

from __future__ import annotations

from pathlib import Path

#: Bytes of a file that are read to tell its format; the longest signature has 12.
HEADER_BYTES = 64

TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
ZIP_MAGIC = b"PK\x03\x04"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
#: A JPEG 2000 file, and its bare codestream.
JPEG_2000_MAGIC = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
#: Where a DICOM file says that it is one (PS3.10, 7.1), and what it says.
DICOM_PLACE = 128
DICOM_MAGIC = b"DICM"
#: Files of which one lies in the root folder of a Zarr array or group.
ZARR_NODE_FILES = (".zgroup", ".zarray", "zarr.json")


def is_tiff(header: bytes) -> bool:
    """Return whether a file that begins with `header` is a TIFF or BigTIFF."""
    return header.startswith(TIFF_MAGIC)


def is_raster(header: bytes) -> bool:
    """Return whether a file that begins with `header` is a PNG, JPEG, JPEG 2000, BMP or WebP."""
    return detect_raster_format(header) is not None


def detect_raster_format(header: bytes) -> str | None:
    """Return "PNG", "JPEG", "JPEG 2000", "BMP" or "WebP" for a file's first bytes, else None."""
    if header.startswith(PNG_MAGIC):
        return "PNG"
    if header.startswith(JPEG_MAGIC):
        return "JPEG"
    if header.startswith(JPEG_2000_MAGIC):
        return "JPEG 2000"
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return "WebP"
    # "BM" alone is too common; a bitmap's reserved words are zero
    return "BMP" if header.startswith(b"BM") and header[6:10] == bytes(4) else None


def is_dicom_file(path: Path) -> bool:
    """Return whether `path` is a DICOM file; the sign is not at its beginning."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(DICOM_PLACE)
        return file.read(len(DICOM_MAGIC)) == DICOM_MAGIC


def is_zarr(path: Path, header: bytes) -> bool:
    """Return whether `path` is the root folder of a Zarr, or a zip, which may hold one."""
    return header.startswith(ZIP_MAGIC) or is_zarr_folder(path)


def is_zarr_folder(path: Path) -> bool:
    """Return whether the folder is the root of a Zarr array or group."""
    return any((path / name).is_file() for name in ZARR_NODE_FILES)
