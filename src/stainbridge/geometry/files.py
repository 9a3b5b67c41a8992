"""Read and write transforms in the files that ITK's family of tools reads.

The conventions are those of `itk.py`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.affine_files import read_explorer
from stainbridge.geometry.frame import Space
from stainbridge.geometry.hdf5_times import erase_times
from stainbridge.geometry.itk import field_image, from_field_image, from_itk, to_itk
from stainbridge.geometry.probe import probe
from stainbridge.geometry.transform import Affine, Transform, split_chain
from stainbridge.whole import whole_file

if TYPE_CHECKING:
    import SimpleITK

#: Held while SimpleITK reads or writes a transform: its HDF5 crashes when two threads use it.
ITK_FILES = Lock()
#: Endings of composite transforms in HDF5.
COMPOSITE_ENDINGS = (".h5", ".hdf5")
#: Endings of affine transforms as text.
TEXT_ENDINGS = (".tfm", ".txt")
#: Endings of linear transforms of ANTs and others, read only.
MATRIX_ENDINGS = (".mat", ".xfm")
#: Endings of displacement images that are written.
FIELD_ENDINGS = (".mha",)
#: Endings of alignment matrices of Xenium Explorer, read only.
EXPLORER_ENDINGS = (".csv",)
#: Endings of displacement images that are read.
READABLE_FIELD_ENDINGS = (".mha", ".mhd", ".nrrd", ".nii", ".nii.gz")
#: Bytes of one parameter in an HDF5 transform file, a float64.
BYTES_PER_NUMBER = 8
#: Bytes of such a file beside its parameters, at most.
HEADER_BYTES = 32768


def write_transform(path: Path | str, transform: Transform, *, dimension: int = 2) -> None:
    """Write `transform`, which leads from one slide's space to another's, whole or not at all.

    `.h5` takes any transform as an ITK composite, exact for affine maps and displacement fields;
    `.tfm` and `.txt` take affine ones; `.mha` holds the whole map as one displacement field.

    Args:
        path: The file; its ending chooses the format.
        transform: What is written.
        dimension: 2; or 3 (`.h5`, `.tfm`) for programs that know volumes only, such as 3D Slicer.

    Raises:
        InputError: Another ending, a map that the format cannot hold, a file that cannot be
            written.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0)
        >>> grid = pair.fixed.frame.fit(64)
        >>> stainbridge.write_transform("truth.h5", pair.truth.to_field(grid))

    """
    import SimpleITK

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (*COMPOSITE_ENDINGS, *TEXT_ENDINGS, *FIELD_ENDINGS):
        raise InputError(
            "unknown kind of transform file",
            where=path,
            expected=".h5, .tfm or .mha",
            got=ending or "none",
        )
    if ending in TEXT_ENDINGS and not all(
        isinstance(member, Affine) for member in split_chain(transform)
    ):
        raise InputError(
            "a text file holds affine maps only", where=path, remedy="write an .h5 file"
        )
    with whole_file(path) as temporary:
        try:
            if ending in FIELD_ENDINGS:
                image = SimpleITK.Cast(field_image(transform), SimpleITK.sitkVectorFloat32)
                _reserve_space(temporary, image.GetNumberOfPixels())  # two of half the size each
                SimpleITK.WriteImage(image, str(temporary), True)
            else:
                written = to_itk(transform, dimension)
                members = (
                    written.GetNthTransform(n) for n in range(written.GetNumberOfTransforms())
                )
                numbers = sum(member.GetNumberOfParameters() for member in members)
                _reserve_space(temporary, numbers)
                with ITK_FILES:
                    SimpleITK.WriteTransform(written, str(temporary))
                if ending in COMPOSITE_ENDINGS:
                    erase_times(temporary)
        except RuntimeError as error:
            raise InputError("could not write", where=path, got=_last_line(error)) from error


def read_transform(
    path: Path | str, source: Space, target: Space, *, is_vouched_for: bool = False
) -> Transform:
    """Read the transform in an ITK file as a map from the space `source` to the space `target`.

    Takes what `write_transform` writes and any other ITK transform file with linear and
    displacement-field members (Euler, similarity, affine, translation, composites; ANTs' .mat),
    images of displacements, and the alignment matrix (.csv) of Xenium Explorer. Outside the grid of
    a field its border is continued.

    Args:
        path: The file.
        source: The space whose points go in, `fixed.frame.space`.
        target: The space whose points come out, `moving.frame.space`.
        is_vouched_for: Whether the file is known to be whole; others are tried out first.

    Returns:
        The transform, in µm.

    Raises:
        InputError: A file that is damaged or of another kind.
        MissingFileError: There is no such file.

    Example:
        >>> he = stainbridge.Space("he", height=600, width=800, mpp=(0.5, 0.5))
        >>> ki67 = stainbridge.Space("ki67", height=600, width=800, mpp=(0.5, 0.5))
        >>> shift = stainbridge.Affine(np.array([[1, 0, 30.0], [0, 1, 0], [0, 0, 1]]), he, ki67)
        >>> stainbridge.write_transform("shift.tfm", shift)
        >>> moving_from_fixed = stainbridge.read_transform("shift.tfm", he, ki67)
        >>> moving_from_fixed(np.array([[100.0, 50.0]])).round(6)
        array([[130.,  50.]])

    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError("no such transform file", where=path)
    name = path.name.lower()
    try:
        if name.endswith(READABLE_FIELD_ENDINGS):
            return from_field_image(_read_image(path), source, target)
        if name.endswith(EXPLORER_ENDINGS):
            return read_explorer(path, source.frame, target.frame)
        if name.endswith((*COMPOSITE_ENDINGS, *TEXT_ENDINGS, *MATRIX_ENDINGS)):
            return from_itk(_read_itk(path, is_vouched_for), source, target)
    except InputError as error:
        raise InputError(
            error.what, where=path, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error
    raise InputError(
        "unknown kind of transform file",
        where=path,
        expected=".h5, .tfm, .txt, .mat, .csv of Xenium Explorer or a field image",
    )


def _reserve_space(path: Path, numbers: int) -> None:
    """Write as many bytes to `path` as a transform of so many numbers takes at most.

    On a full disk Python fails cleanly; HDF5 would crash, and ITK print a line of its own.
    """
    path.write_bytes(bytes(BYTES_PER_NUMBER * numbers + HEADER_BYTES))


def _read_image(path: Path) -> SimpleITK.Image:
    import SimpleITK

    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError("not an image of displacements", got=_last_line(error)) from error


def _read_itk(path: Path, is_vouched_for: bool) -> SimpleITK.Transform:
    import SimpleITK

    if path.suffix.lower() in COMPOSITE_ENDINGS:
        _check_hdf5(path)
        if not is_vouched_for:
            probe(path)
    try:
        with ITK_FILES:
            return SimpleITK.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError("not an ITK transform file", got=_last_line(error)) from error


def _check_hdf5(path: Path) -> None:
    """Refuse an incomplete HDF5 file, about which the library would fill standard error."""
    with path.open("rb") as file:
        head = file.read(48)
    if head[:8] != b"\x89HDF\r\n\x1a\n":
        raise InputError("not an HDF5 file", expected="an ITK transform in HDF5")
    # The superblock gives the file's length, with 8-byte offsets, at byte 40 in version 0 and at
    # byte 28 in 2 and 3.
    at = 40 if head[8:9] == b"\0" else 28
    if len(head) < 48 or struct.unpack_from("<Q", head, at)[0] > path.stat().st_size:
        raise InputError(
            "the file is cut short", got=f"{path.stat().st_size} bytes", remedy="make it again"
        )


def _last_line(error: Exception) -> str:
    """Return the end of an ITK message, which holds the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
