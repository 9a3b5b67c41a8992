"""The one rule for outputs, checked before any work begins.

An output never replaces an input or part of a result in use, whatever name leads to it. It never
replaces what is no regular file or folder. It replaces an existing file only when that is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.fingerprint import WITH_DATA_FOLDER
from stainbridge.jobs.files.endings import TIFF_ENDINGS, ZARR
from stainbridge.whole import check_replaceable

#: The folder of a result that holds its pieces, where there are several.
RESULT_PIECES = "pieces"
#: Files of a registration's folder; the first is the record of the others.
RESULT_FILES = ("registration.json", "transform.h5", "report.html", "warped.ome.tiff")
#: Files and folders of a training run.
RUN_FILES = (
    "config.yaml",
    "metrics.csv",
    "last.safetensors",
    "best.safetensors",
    "model-card.md",
    "pictures",
    "samples",
    "tensorboard",
)
#: Endings of slides whose other files lie beside them, and the endings of those files.
WITH_SIBLINGS = {
    ".dcm": (".dcm",),
    ".vms": (".jpg", ".jpeg", ".opt"),
    ".vmu": (".l00", ".l01", ".l02", ".ngr"),
}


@dataclass(frozen=True)
class Inputs:
    """What a job reads, so that its output is never written over any of it."""

    files: tuple[Path | None, ...] = ()
    """Files, and folders that are one input, such as an OME-Zarr slide; None is left out."""
    data_folders: tuple[Path | None, ...] = ()
    """Folders of data: nothing in them is replaced, new names may be added."""
    results: tuple[Path, ...] = ()
    """Folders of registrations."""
    runs: tuple[Path | None, ...] = ()
    """Folders of training runs, or files of weights."""

    def list_protected(self, target: Path) -> Iterator[Path]:
        """Yield every path that may be neither replaced nor written into.

        `target` is what would be written; parts of a slide are looked for where it may be one.
        """
        for file in self.files:
            if file is not None:
                yield file
                if file.suffix.lower() in WITH_DATA_FOLDER:
                    yield file.with_suffix("")
                yield from _list_siblings(file)
                yield from _list_ome_parts(file, target)
                yield from _list_dicom_parts(file, target)
        yield from (folder for folder in self.data_folders if folder and folder.suffix == ".zarr")
        for folder in self.results:
            yield from (folder / name for name in RESULT_FILES[:3])
            if (folder / RESULT_FILES[3]).exists():
                yield folder / RESULT_FILES[3]
            if (folder / RESULT_PIECES).is_dir():
                yield from (folder / RESULT_PIECES).iterdir()
        for run in filter(None, self.runs):
            yield from (run / name for name in RUN_FILES) if run.is_dir() else (run,)


def _list_siblings(slide: Path) -> list[Path]:
    """Return the files beside a slide that may be parts of it."""
    endings = WITH_SIBLINGS.get(slide.suffix.lower(), ())
    if not endings or not slide.parent.is_dir():
        return []
    return [path for path in slide.parent.iterdir() if path.suffix.lower() in endings]


def _list_ome_parts(slide: Path, target: Path) -> tuple[Path, ...]:
    """Return the other files of an OME-TIFF, where `target` is an existing one beside it."""
    is_beside = target.exists() and _real(target).parent == _real(slide).parent
    if not is_beside or slide.suffix.lower() not in TIFF_ENDINGS or not slide.is_file():
        return ()
    from stainbridge.slides.readers.ome_parts import list_ome_parts

    return list_ome_parts(_real(slide))


def _list_dicom_parts(slide: Path, target: Path) -> tuple[Path, ...]:
    """Return `target` where it is a DICOM file beside one, whatever their names."""
    from stainbridge.slides.readers.magic import is_dicom_file

    is_beside = _real(target).parent == _real(slide).parent
    return (target,) if is_beside and is_dicom_file(target) and is_dicom_file(slide) else ()


def check_output_file(
    out: Path, inputs: Inputs, *, overwrite: bool, may_be_zarr: bool = False
) -> None:
    """Refuse a file that must not be written, or that cannot be.

    With `may_be_zarr`, `out` is the folder of an OME-Zarr where its name says so, and an earlier
    Zarr of that name counts as a file.

    Raises `InputError` for a folder, for what is no regular file, for anything that `inputs`
    protect, and for an existing file unless `overwrite` is set; `MissingFileError` when the folder
    it belongs into does not exist.
    """
    is_zarr = may_be_zarr and out.suffix.lower() == ZARR
    if not out.parent.is_dir():
        raise MissingFileError("no such folder", where=out.parent, remedy="create it first")
    check_replaceable(out)
    _check_replaces_no_input(out, out, inputs, is_whole=is_zarr)
    if out.is_dir() and not (is_zarr and _is_zarr_folder(out)):
        raise InputError("is a folder", where=out, expected="a file name")
    if not overwrite and (out.exists() or out.is_symlink()):
        raise InputError("exists already", where=out, remedy="name another or add --overwrite")


def check_output_folder(out: Path, inputs: Inputs, names: Iterable[str] = ()) -> None:
    """Refuse a folder that must not be written; `names` in it will be written or replaced.

    Whether it may hold files already is for the caller to say. Raises `InputError` for a file, for
    what is no folder, and for anything that `inputs` protect.
    """
    check_replaceable(out)
    _check_replaces_no_input(out, out, inputs)
    if out.exists() and not out.is_dir():
        raise InputError("the output is a file", where=out, expected="a folder")
    for name in names:
        check_replaceable(out / name)
        _check_replaces_no_input(out / name, out, inputs)


def _is_zarr_folder(path: Path) -> bool:
    from stainbridge.slides.readers.magic import is_zarr_folder

    return is_zarr_folder(path)


def _check_replaces_no_input(
    target: Path, out: Path, inputs: Inputs, *, is_whole: bool = False
) -> None:
    """Refuse to replace `target`, which is `out` or a file in it.

    With `is_whole`, all that is in the folder `out` goes.
    """
    for protected in inputs.list_protected(target):
        if _is_same(target, protected) or _is_within(target, protected):
            raise _replaces(out, protected)
        if (is_whole or target != out) and _is_within(protected, target):
            raise _replaces(out, protected)
    if target.exists():
        for folder in inputs.data_folders:
            if folder is not None and folder.is_dir() and _is_data(target, out, folder):
                raise _replaces(out, folder if target.is_dir() else target)


def _is_data(target: Path, out: Path, folder: Path) -> bool:
    """Return whether replacing `target` would replace what is in the data `folder`."""
    if target == out and target.is_dir():
        return False  # new names may be added to a folder of data
    return _is_same(target, folder) or _is_within(target, folder) or _is_within(folder, target)


def _replaces(out: Path, protected: Path) -> InputError:
    return InputError(
        f"the output would replace the input {protected}",
        where=out,
        remedy="name another output",
    )


def _is_same(first: Path, second: Path) -> bool:
    """Return whether two names lead to one file, by links too."""
    try:
        return first.samefile(second)
    except OSError:  # one of them does not exist
        return _real(first) == _real(second)


def _is_within(path: Path, folder: Path) -> bool:
    """Return whether `path`, or what it links to, lies in `folder`, at any depth."""
    if not folder.is_dir():
        return False
    own_folder = _real(path.parent)
    places = (own_folder, *own_folder.parents, *_real(path).parents)
    return any(_is_same(place, folder) for place in places)


def _real(path: Path) -> Path:
    """Return the path that links lead to; one that leads nowhere is no error."""
    return Path(os.path.realpath(path))
