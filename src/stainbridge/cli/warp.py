"""`stainbridge warp`: slides, points and annotations carried over by a registration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stainbridge.cli.output import progress_bar
from stainbridge.jobs.write_sharpened import write_sharpened
from stainbridge.errors import InputError, MissingFileError

if TYPE_CHECKING:
    from stainbridge.registration.store import StoredRegistration
    from stainbridge.slides.slide import Slide

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Carry a slide, points or annotations over."
)

Result = Annotated[
    Path, typer.Argument(help="The folder that `stainbridge register` wrote.", metavar="DIR")
]
Side = Literal["fixed", "moving"]
SIDES: tuple[Side, ...] = ("fixed", "moving")
To = Annotated[Side, typer.Option("--to", help="The slide to carry them to, from the other one.")]


@app.command("slide")
def slide(
    result: Result,
    out: Annotated[Path, typer.Option("--out", help="The slide to write.", metavar="X.ome.tiff")],
    crop: Annotated[
        Literal["fixed", "overlap", "moving"],
        typer.Option(
            "--crop",
            help="What to cover: the fixed slide, the part both cover, or the moving slide.",
        ),
    ] = "fixed",
    format: Annotated[
        Literal["ome-tiff", "tiff"],
        typer.Option("--format", help="tiff is for OpenSlide, which sees all its levels."),
    ] = "ome-tiff",
    compression: Annotated[
        Literal["jpeg", "deflate", "zstd", "none"] | None,
        typer.Option("--compression", help="[default: jpeg for RGB, else zstd]"),
    ] = None,
    quality: Annotated[
        int, typer.Option("--quality", help="Quality of JPEG.", min=1, max=100)
    ] = 85,
    threads: Annotated[
        int | None, typer.Option("--threads", help="[default: all cores]", min=1)
    ] = None,
    sharpen: Annotated[
        Path | None,
        typer.Option(
            "--sharpen", help="Sharpen the result: a run of train sharpen.", metavar="RUN"
        ),
    ] = None,
    moving: Annotated[
        Path | None,
        typer.Option("--moving", help="Where the moving slide is now, if it was moved since."),
    ] = None,
) -> None:
    """Write the moving slide as it looks from the fixed one: same pixels, same places.

    \b
    Example:
        stainbridge warp slide result --out ki67-on-he.ome.tiff
        stainbridge warp slide result --out ki67-on-he.tiff --format tiff --crop overlap
        stainbridge warp slide result --out sharp.ome.tiff --sharpen x2-run
    """
    from stainbridge.registration.store import load_stored
    from stainbridge.slides.writing.write import write_slide

    stored = load_stored(result)

    def opened() -> Slide:
        source = _open_moving(stored, moving)
        try:
            _refuse_same(out, Path(source.info.path))
            return stored.registration.warp_slide(source, crop=crop)
        except BaseException:
            source.close()
            raise

    def write(warped: Slide) -> None:
        with progress_bar() as progress:
            write_slide(
                warped,
                out,
                file_format=format,
                compression=compression,
                quality=quality,
                threads=threads,
                progress=lambda done, total: progress("writing the warped slide", done / total),
                overwrite=True,
            )

    if sharpen is not None:
        write_sharpened(sharpen, opened, write, out, (result / "registration.json",), crop)
        return
    with opened() as warped:
        write(warped)


@app.command("points")
def points(
    result: Result,
    source: Annotated[
        Path, typer.Argument(help="Columns X and Y in full-resolution pixels.", metavar="IN.csv")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="OUT.csv")],
    to: To = "fixed",
) -> None:
    """Carry points from the moving slide to the fixed one, or back.

    \b
    Example:
        stainbridge warp points result ki67-landmarks.csv --out on-he.csv
        stainbridge warp points result he-landmarks.csv --out on-ki67.csv --to moving
    """
    from stainbridge.geometry.landmarks import read_points_csv, write_points_csv
    from stainbridge.registration.store import load

    _refuse_same(out, source)
    registration = load(result)
    points_px, labels = read_points_csv(source)
    write_points_csv(out, registration.warp_points(points_px, to=to), labels)


@app.command("geojson")
def geojson(
    result: Result,
    source: Annotated[
        Path, typer.Argument(help="Annotations as QuPath exports them.", metavar="IN.geojson")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="OUT.geojson")],
    to: To = "fixed",
) -> None:
    """Carry QuPath annotations from the moving slide to the fixed one, or back; ids and classes are
    kept.

    \b
    Example:
        stainbridge warp geojson result ki67.geojson --out on-he.geojson
        stainbridge warp geojson result he.geojson --out on-ki67.geojson --to moving
    """
    from stainbridge.geometry.geojson import read_geojson, write_geojson
    from stainbridge.registration.store import load_stored

    _refuse_same(out, source)
    stored = load_stored(result)
    offsets = {side: _offset_px(stored, side) for side in SIDES}
    moved = stored.registration.warp_geojson(
        read_geojson(source),
        to=to,
        from_offset_px=offsets["fixed" if to == "moving" else "moving"],
        to_offset_px=offsets[to],
    )
    write_geojson(out, moved)


def _offset_px(stored: StoredRegistration, side: Side) -> tuple[float, float]:
    """The corner that QuPath counts from on this slide."""
    x, y = stored.record[side].get("bounds_px", (0, 0))
    return float(x), float(y)


def _open_moving(stored: StoredRegistration, path: Path | None) -> Slide:
    """The registered moving slide, with the pixel size it was registered with; `path` says where it
    is now.

    Raises `InputError` when it is not found or is not the slide that was registered.
    """
    from stainbridge.slides.open import open_slide

    registered = stored.registration.moving
    path = path or stored.moving_path
    if path is None:
        raise InputError(
            "the record does not say where the moving slide is", remedy="add --moving SLIDE"
        )
    if not path.exists():
        raise MissingFileError(
            "the moving slide is not there",
            where=path,
            remedy="say where it is with --moving SLIDE",
        )
    square = registered.calibrated and registered.mpp[0] == registered.mpp[1]
    slide = open_slide(path, mpp=registered.mpp[0] if square else None)
    size, expected = (slide.frame.width, slide.frame.height), (registered.width, registered.height)
    if size != expected:
        slide.close()
        raise InputError(
            "not the slide that was registered", where=path, expected=f"{expected} px", got=size
        )
    return slide


def _refuse_same(out: Path, source: Path) -> None:
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(
            "the output would replace the input", where=out, remedy="name another output"
        )
