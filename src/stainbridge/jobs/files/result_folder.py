"""A result folder whose files appear together when all of them are complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import RESULT_FILES, Inputs, check_output_folder


@contextmanager
def result_folder(
    out: Path,
    *,
    inputs: Inputs | None = None,
    overwrite: bool = False,
    outputs: tuple[str, ...] = RESULT_FILES,
    folders: tuple[str, ...] = (),
) -> Iterator[Path]:
    """Hand out a hidden folder in `out`; its files move to `out` on success.

    On any exception nothing is left. With `overwrite`, files and folders in `out` that an earlier
    run left are removed when they are among `outputs`, which are files, or `folders`; other files
    stay. The first of `outputs` is the record of the others. The hidden folder is inside `out`, so
    that `out` can be a mounted folder.

    Raises `InputError` for an output that must not be written (see `check_output_folder`), when
    `out` holds files and `overwrite` is not set, and when it cannot be written.
    """
    check_result_folder(out, inputs=inputs, overwrite=overwrite, outputs=outputs, folders=folders)
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    partial = out / f".{os.getpid()}.partial"
    try:
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=out) from error
        yield partial
        _publish(partial, out, outputs, folders)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in new_folders:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def check_result_folder(
    out: Path,
    *,
    inputs: Inputs | None = None,
    overwrite: bool = False,
    outputs: tuple[str, ...] = RESULT_FILES,
    folders: tuple[str, ...] = (),
) -> None:
    """Raise `InputError` where `result_folder` would, and write nothing."""
    check_output_folder(out, inputs or Inputs(), (*outputs, *folders))
    if not overwrite and holds_files(out):
        raise InputError(
            "the output folder is not empty",
            where=out,
            expected="a new or empty folder",
            remedy="name another or add --overwrite",
        )
    for name in outputs:
        if (out / name).is_dir():
            raise InputError("is a folder", where=out / name, expected="a file, or nothing")
    for name in folders:
        if (out / name).is_dir() and not (out / outputs[0]).is_file():
            raise InputError(
                "a folder that no earlier run left",
                where=out / name,
                expected=f"{outputs[0]} beside it",
                remedy="name another output",
            )


def holds_files(folder: Path) -> bool:
    """Return whether a folder exists and holds anything that is not hidden."""
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def _publish(partial: Path, out: Path, outputs: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Replace the earlier outputs.

    The record is removed first and appears last, so that it never describes other files.
    """
    for name in (*outputs, *folders):
        if name in folders and (out / name).is_dir() and not (out / name).is_symlink():
            shutil.rmtree(out / name)
        (out / name).unlink(missing_ok=True)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == outputs[0]):
        path.replace(out / path.name)
