"""A result folder whose files appear together when all of them are complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.errors import InputError

OUTPUTS = ("registration.json", "transform.h5", "report.html", "warped.ome.tiff")


@contextmanager
def result_folder(
    out: Path, *, overwrite: bool = False, outputs: tuple[str, ...] = OUTPUTS
) -> Iterator[Path]:
    """Hand out a hidden folder in `out`; its files move to `out` on success, on any exception
    nothing is left.

    With `overwrite`, files and folders in `out` that an earlier run left are removed when they are
    among `outputs`, the first of which is the record of the others; others stay. The hidden folder
    is inside `out`, so that a mounted folder can be `out`.

    Raises `InputError` when `out` holds files and `overwrite` is not set, is a file, or cannot be
    written.
    """
    _check(out, overwrite)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    partial = out / f".{os.getpid()}.partial"
    try:
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=out) from error
        yield partial
        _publish(partial, out, outputs)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _check(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError("the output is a file", where=out, expected="a folder")
    if (
        out.is_dir()
        and not overwrite
        and any(not path.name.startswith(".") for path in out.iterdir())
    ):
        raise InputError(
            "the output folder is not empty",
            where=out,
            expected="a new or empty folder",
            remedy="name another or add --overwrite",
        )


def _publish(partial: Path, out: Path, outputs: tuple[str, ...]) -> None:
    """Replace the earlier outputs; the record goes first and comes last, so that it never speaks of
    other files.
    """
    for name in outputs:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        (out / name).unlink(missing_ok=True)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == outputs[0]):
        path.replace(out / path.name)
