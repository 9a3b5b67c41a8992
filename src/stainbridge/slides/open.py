"""Open a slide of any format: the reader is chosen by what the file holds, not by its name."""

from __future__ import annotations

from pathlib import Path

from stainbridge.errors import InputError, MissingFileError, errors_within
from stainbridge.regular import check_regular
from stainbridge.slides.readers.magic import HEADER_BYTES
from stainbridge.slides.readers.table import READERS
from stainbridge.slides.slide import Slide


def open_slide(path: str | Path, *, mpp: float | None = None, stain: str | None = None) -> Slide:
    """Open the slide at `path`.

    Formats: those of OpenSlide; TIFF, OME-TIFF, QPTIFF; PNG, JPEG, JPEG 2000, BMP, WebP; OME-Zarr
    and plain Zarr, as a folder or zipped. An implausible pixel size is not used: the slide's frame
    then has `calibrated=False`, and `info.warnings` a line.

    Args:
        path: The file, or the folder of a Zarr or of a DICOM slide.
        mpp: µm per full-resolution pixel, in place of the file's.
        stain: A free name such as "HE".

    Returns:
        The slide, which is read as it is needed. The caller closes it, or uses `with`.

    Raises:
        InputError: A file that is empty, damaged or of another kind, or a bad pixel size.
        MissingFileError: There is no such file.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0)
        >>> stainbridge.write_slide(pair.fixed, "he.ome.tiff", overwrite=True)
        >>> with stainbridge.open_slide("he.ome.tiff", stain="HE") as slide:
        ...     corner = slide.read(slide.frame.crop(0, 0, 64, 32))
        >>> corner.pixels.shape
        (3, 32, 64)

    """
    path = Path(path)
    check_regular(path)
    header = b"" if path.is_dir() else read_header(path)
    for reader in READERS:
        if reader.claims(path, header):
            with errors_within(path):
                return reader.open(path, mpp=mpp, stain=stain)
    raise _unknown_kind(path, header)


def read_header(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises `InputError` when there is no such file, or it is empty or may not be read.
    """
    if not path.exists():
        raise MissingFileError("no such file", where=path)
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise InputError("the file cannot be read", where=path, got=error) from error
    if not header:
        raise InputError("the file is empty", where=path)
    return header


def _unknown_kind(path: Path, header: bytes) -> InputError:
    if path.is_dir():
        return InputError(
            "a folder is not a slide",
            where=path,
            expected="a slide file, or the folder of a Zarr or of a DICOM slide",
        )
    return InputError(
        "not a slide or image of a known format",
        where=path,
        expected="SVS, NDPI, MRXS, SCN, DICOM, TIFF, PNG, JPEG, JPEG 2000, BMP, WebP or Zarr",
        got=f"a file that begins with {header[:8]!r}",
    )
