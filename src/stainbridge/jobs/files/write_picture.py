"""Write a slide as what its name says: OME-TIFF, TIFF, OME-Zarr or PNG."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.jobs.choices import CompressionChoice, SlideFormatChoice
from stainbridge.jobs.files.already_done import mark_request
from stainbridge.jobs.files.endings import PNG, ZARR
from stainbridge.progress import Progress

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide


def write_picture(
    slide: Slide,
    out: Path,
    file_format: SlideFormatChoice | None,
    digest: str,
    *,
    compression: CompressionChoice | None,
    quality: int,
    is_label: bool = False,
    threads: int | None = None,
    stage: str,
    progress: Progress,
) -> None:
    """Write `slide` to `out`, which is claimed, with the request's `digest` in it.

    `stage` is what `progress` is told. Labels are written without loss, and their levels have no
    new values. Raises `InputError` for pixels that the format does not hold.
    """
    from stainbridge.slides.writing.png import write_png
    from stainbridge.slides.writing.write import write_slide

    is_zarr = out.suffix.lower() == ZARR
    mark = partial(mark_request, digest=digest)
    if out.suffix.lower() == PNG:
        write_png(slide, out, mark)
        return
    lossless: CompressionChoice = "zstd" if is_zarr else "deflate"
    write_slide(
        slide,
        out,
        file_format=file_format,
        compression=compression or (lossless if is_label else None),
        quality=quality,
        reduction="nearest" if is_label else "mean",
        threads=threads,
        progress=lambda done, total: progress(stage, done / total),
        finish=mark,
        overwrite=True,
    )
