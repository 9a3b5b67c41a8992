"""A result folder whose files appear together when all of them are complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import RESULT_FILES, Inputs, check_output_folder
from stainbridge.partial import holds_files, partial_folder


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
    `out` holds files and `overwrite` is not set, when it cannot be written, and when another run
    writes there.
    """
    check = partial(
        check_result_folder,
        out,
        inputs=inputs,
        overwrite=overwrite,
        outputs=outputs,
        folders=folders,
    )
    check()
    with claim_folder(out):
        check()  # another run may have ended just now
        with publish_together(out, outputs, folders) as hidden:
            yield hidden


@contextmanager
def publish_together(
    out: Path, outputs: tuple[str, ...] = RESULT_FILES, folders: tuple[str, ...] = ()
) -> Iterator[Path]:
    """Hand out a hidden folder in `out`, which is claimed; its files move to `out` on success.

    Earlier `outputs` and `folders` are removed then; see `result_folder`.
    """
    with ExitStack() as stack:
        try:
            hidden = stack.enter_context(partial_folder(out))
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=out) from error
        yield hidden
        _publish(hidden, out, outputs, folders)


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


def _publish(hidden: Path, out: Path, outputs: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Replace the earlier outputs.

    The record is removed first and appears last, so that it never describes other files.
    """
    for name in (*outputs, *folders):
        if name in folders and (out / name).is_dir() and not (out / name).is_symlink():
            shutil.rmtree(out / name)
        (out / name).unlink(missing_ok=True)
    for path in sorted(hidden.iterdir(), key=lambda path: path.name == outputs[0]):
        path.replace(out / path.name)
