"""Write tiles into a TIFF file, then the directories that describe them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.warp import Interleaved
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.container import Directory, Segment, Tag, TiffContainer
from stainbridge.slides.writing.encode import Codec
from stainbridge.slides.writing.ome import make_ome_xml
from stainbridge.slides.writing.pyramid import Pyramid, Reduction, TileKey
from stainbridge.slides.writing.tile_loop import TileProgress, write_tiles

TiffFormat = Literal["ome-tiff", "tiff"]
#: Encoded bytes of each plane of a tile, and whether the plane is one flat colour.
Planes = list[tuple[bytes, bool]]
#: Where the tiles are in the file: one segment a plane.
Segments = dict[TileKey, list[Segment]]


def write_tiff(
    slide: Slide,
    path: Path,
    codec: Codec,
    *,
    layout: TiffFormat,
    name: str,
    tile: int,
    reduction: Reduction,
    threads: int | None,
    progress: TileProgress | None,
) -> None:
    """Write `slide` to `path`, a new file; `name` is that of the picture where it has no stain."""
    pyramid = Pyramid(slide.frame.height, slide.frame.width, tile)
    with path.open("wb", buffering=2**20) as file:
        sink = TiffSink(TiffContainer(file), codec)
        write_tiles(slide, pyramid, sink, reduction=reduction, threads=threads, progress=progress)
        picture = _Picture(slide, pyramid, codec, sink.segments)
        sink.container.finish(_directories(picture, layout, name))


@dataclass(frozen=True, eq=False)
class TiffSink:
    """Tiles as segments of a TIFF. See `TileSink`."""

    container: TiffContainer
    """The file."""
    codec: Codec
    """How a plane becomes bytes."""
    segments: Segments = field(default_factory=dict)
    """Where the tiles are that were appended."""

    def encode(self, _key: TileKey, tile: Interleaved, /) -> Planes:
        """Return the bytes of each plane of a tile (tile, tile, C)."""
        samples = self.codec.samples
        return [
            self.codec.encode(tile[..., i : i + samples]) for i in range(0, tile.shape[2], samples)
        ]

    def append(self, key: TileKey, encoded: Planes) -> None:
        """Write the planes; equal flat ones are stored once."""
        self.segments[key] = [
            (self.container.append_once if flat else self.container.append)(data)
            for data, flat in encoded
        ]


@dataclass(frozen=True)
class _Picture:
    """What the directories describe."""

    slide: Slide
    pyramid: Pyramid
    codec: Codec
    segments: Segments


def _directories(picture: _Picture, layout: TiffFormat, name: str) -> list[Directory]:
    """Return one directory a channel, with its levels below it, or one directory a level.

    The first is for OME-TIFF, the second for plain TIFF.
    """
    levels = range(len(picture.pyramid.sizes))
    if layout == "tiff":
        return [Directory(_tags(picture, level, 0, b"")) for level in levels]
    description = (
        make_ome_xml(picture.slide.frame, picture.slide.info, picture.slide.stain or name) + b"\0"
    )
    directories = []
    for plane in range(len(picture.slide.info.channels) // picture.codec.samples):
        first, *below = (
            _tags(picture, level, plane, b"" if level or plane else description) for level in levels
        )
        directories.append(Directory(first, tuple(Directory(tags) for tags in below)))
    return directories


def _tags(picture: _Picture, level: int, plane: int, description: bytes) -> tuple[Tag, ...]:
    height, width = picture.pyramid.sizes[level]
    rows, columns = picture.pyramid.count_tiles(level)
    ordered = [
        picture.segments[TileKey(level, row, column)][plane]
        for row in range(rows)
        for column in range(columns)
    ]
    tags = [
        Tag(254, "long", [1 if level else 0]),
        Tag(256, "long", [width]),
        Tag(257, "long", [height]),
        *picture.codec.tags,
        Tag(305, "ascii", b"stainbridge\0"),
        Tag(322, "short", [picture.pyramid.tile]),
        Tag(323, "short", [picture.pyramid.tile]),
        Tag(324, "offset", [offset for offset, _ in ordered]),
        Tag(325, "long", [length for _, length in ordered]),
    ]
    if description:
        tags.append(Tag(270, "ascii", description))
    profile = picture.slide.info.icc_profile
    if profile is not None and picture.codec.rgb and level == 0:
        tags.append(Tag(34675, "undefined", profile))
    if picture.slide.frame.calibrated:
        tags += _resolution(picture.slide.frame, width, height)
    return tuple(tags)


def _resolution(frame: Frame, width: int, height: int) -> list[Tag]:
    """Return the tags of the pixels per centimetre of a level of `width` x `height` pixels."""
    per_cm = [
        Fraction(10_000 * pixels / size_um).limit_denominator(10_000)
        for pixels, size_um in zip((width, height), frame.size_um, strict=True)
    ]
    return [
        *(
            Tag(code, "rational", [ratio.numerator, ratio.denominator])
            for code, ratio in zip((282, 283), per_cm, strict=True)
        ),
        Tag(296, "short", [3]),
        *_position(frame),
    ]


def _position(frame: Frame) -> list[Tag]:
    """Return the tags of a crop's place in centimetres; TIFF has none for places before 0."""
    if frame.origin_um == (0, 0) or min(frame.origin_um) < 0:
        return []
    places = [
        Fraction(origin_um / 10_000).limit_denominator(1_000_000) for origin_um in frame.origin_um
    ]
    return [
        Tag(code, "rational", [place.numerator, place.denominator])
        for code, place in zip((286, 287), places, strict=True)
    ]
