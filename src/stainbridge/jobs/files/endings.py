"""What the name of an output says of its content; one that says another format is refused."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.jobs.choices import SlideFormatChoice

#: Endings of TIFFs. Other programs expect the last one of large files.
TIFF_ENDINGS = (".tif", ".tiff", ".btf")
#: The ending of pictures that small slides are written as.
PNG = ".png"
#: The ending of OME-Zarr folders.
ZARR = ".zarr"
#: What names of OME files have before their ending.
OME = ".ome"
#: Endings of names that slides are written to; a name without ending says nothing.
PICTURE_ENDINGS = ("", *TIFF_ENDINGS, PNG, ZARR)
#: The same where a layout is asked for, and in words.
FORMAT_ENDINGS: dict[SlideFormatChoice, tuple[tuple[str, ...], str]] = {
    "ome-tiff": (("", *TIFF_ENDINGS), ".ome.tiff or .tiff"),
    "tiff": (("", *TIFF_ENDINGS), ".tiff"),
    "ome-zarr": ((ZARR,), "a name that ends in .zarr"),
}
#: Endings of tables of points, of manifests, of annotations and of networks for other programs.
POINT_ENDINGS = ("", ".csv", ".tsv", ".txt")
CSV_ENDINGS = ("", ".csv")
GEOJSON_ENDINGS = ("", ".geojson", ".json")
ONNX_ENDINGS = ("", ".onnx")
#: What gzipped annotations end in, after their other ending.
PACKED = ".gz"
#: Endings of files that are written; a folder has none of them.
FILE_ENDINGS = frozenset(
    (
        *(ending for ending in (*PICTURE_ENDINGS, *POINT_ENDINGS, *GEOJSON_ENDINGS) if ending),
        *(".jpg", ".jpeg", ".gz", ".h5", ".html", ".onnx", ".safetensors", ".yaml", ".yml"),
    )
)


def check_picture_ending(out: Path, file_format: SlideFormatChoice | None = None) -> None:
    """Raise `InputError` for a name that ends like a format that is not written.

    That is also one that ends like another format than `file_format`, where one is asked for.
    """
    expected = ".ome.tiff, .tiff, .zarr, or .png for small slides"
    if file_format is None:
        check_ending(out, PICTURE_ENDINGS, expected)
        return
    endings, expected = FORMAT_ENDINGS[file_format]
    is_ome = Path(out.stem).suffix.lower() == OME
    if out.suffix.lower() not in endings or (file_format == "tiff" and is_ome):
        raise InputError(
            "the output's name is one of another format",
            where=out,
            expected=expected,
            got=f"--format {file_format}",
            remedy="change the name, or leave --format out",
        )


def check_geojson_ending(out: Path) -> None:
    """Raise `InputError` for a name that says that the file holds no GeoJSON."""
    name = Path(out.stem) if is_packed(out) else out
    if name.suffix.lower() not in GEOJSON_ENDINGS:
        raise _refuse(out, ".geojson or .geojson.gz")


def is_packed(out: Path) -> bool:
    """Return whether a name says that the file is gzipped."""
    return out.suffix.lower() == PACKED


def check_ending(out: Path, endings: Collection[str], expected: str) -> None:
    """Raise `InputError` for a name that ends like another format than is written."""
    if out.suffix.lower() not in endings:
        raise _refuse(out, expected)


def check_folder_name(out: Path) -> None:
    """Raise `InputError` for a new folder whose name is one of a file."""
    if out.suffix.lower() in FILE_ENDINGS and not (out.exists() or out.is_symlink()):
        raise InputError(
            "a folder is written, and this is the name of a file",
            where=out,
            expected=f"a name that does not end in {out.suffix}",
            remedy="name another output",
        )


def _refuse(out: Path, expected: str) -> InputError:
    return InputError(
        f"{out.suffix} is not written",
        where=out,
        expected=expected,
        remedy="name another output",
    )
