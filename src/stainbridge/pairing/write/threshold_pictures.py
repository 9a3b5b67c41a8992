"""Draw what each threshold drops: the kept just inside beside the dropped just outside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from stainbridge.pairing.config import THRESHOLD_ORDER, Thresholds
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.ranking import select_inside, select_outside
from stainbridge.pairing.write.thumbs import SIDE_PX
from stainbridge.pairing.write.words import describe_condition, describe_measure
from stainbridge.whole import whole_file

#: The folder of the pictures.
PICTURES = "thresholds"
#: Rows of a picture, at most.
ROWS = 8
#: Pixels along the sides of a patch's three pictures.
STRIP_SIZE = (3 * SIDE_PX * 3 // 4, SIDE_PX * 3 // 4)
#: Pixels between two patches.
GAP_PX = 16
#: Pixels between the three pictures of a patch.
SEAM_PX = 4
#: Height in pixels of a line of text.
LINE_PX = 24
#: Size of letters.
LETTER_PX = 15
#: Height in pixels of the title.
TITLE_PX = 60
#: JPEG quality, 1 to 95.
JPEG_QUALITY = 85
#: RGB colours.
PAPER = (251, 251, 253)
INK = (29, 35, 48)
INSIDE_INK = (20, 120, 74)
OUTSIDE_INK = (173, 31, 45)
EMPTY = (226, 230, 238)


def write_threshold_pictures(
    out: Path, patches: Sequence[Patch], thresholds: Thresholds, thumbs: dict[str, Path]
) -> list[Path]:
    """Write a picture for every threshold that drops a patch, and remove those of the others.

    `thumbs` are the thumbnails' files by the patch's name. The row closest to the threshold is the
    first. Returns the files.
    """
    folder = out / PICTURES
    folder.mkdir(exist_ok=True)
    written = []
    for name in THRESHOLD_ORDER:
        path = folder / f"{name}.jpg"
        if not any(patch.dropped_for == name for patch in patches):
            path.unlink(missing_ok=True)
            continue
        picture = draw_threshold(patches, name, thresholds, thumbs)
        with whole_file(path) as temporary:
            picture.save(temporary, "JPEG", quality=JPEG_QUALITY)
        written.append(path)
    return written


def draw_threshold(
    patches: Sequence[Patch], name: str, thresholds: Thresholds, thumbs: dict[str, Path]
) -> PIL.Image.Image:
    """Return the picture of one threshold; a patch without a thumbnail is an empty box."""
    inside = select_inside(patches, name, thresholds)[:ROWS]
    outside = select_outside(patches, name, thresholds)[:ROWS]
    dropped = sum(patch.dropped_for == name for patch in patches)
    width = 2 * STRIP_SIZE[0] + 3 * GAP_PX
    row_px = LINE_PX + STRIP_SIZE[1] + GAP_PX
    height = TITLE_PX + row_px * max(len(inside), len(outside))
    canvas = PIL.Image.new("RGB", (width, height), PAPER)
    condition = describe_condition(name, thresholds)
    _write(canvas, (GAP_PX, 10), f"{name}: {condition}; drops {dropped}", INK)
    columns = (
        (GAP_PX, "kept, just inside", inside, INSIDE_INK),
        (2 * GAP_PX + STRIP_SIZE[0], "dropped, just outside", outside, OUTSIDE_INK),
    )
    for left, title, shown, ink in columns:
        _write(canvas, (left, 34), title, ink)
        for number, patch in enumerate(shown):
            top = TITLE_PX + number * row_px
            _write(canvas, (left, top), f"{describe_measure(patch, name)}   {patch.name}", ink)
            canvas.paste(_read_thumb(thumbs.get(patch.name)), (left, top + LINE_PX))
    return canvas


def _read_thumb(path: Path | None) -> PIL.Image.Image:
    if path is None or not path.is_file():
        return PIL.Image.new("RGB", STRIP_SIZE, EMPTY)
    with PIL.Image.open(path) as picture:
        strip = picture.convert("RGB").resize(STRIP_SIZE, PIL.Image.Resampling.BILINEAR)
    for left in (STRIP_SIZE[0] // 3, 2 * STRIP_SIZE[0] // 3):
        strip.paste(PAPER, (left - SEAM_PX // 2, 0, left + SEAM_PX // 2, STRIP_SIZE[1]))
    return strip


def _write(
    canvas: PIL.Image.Image, place: tuple[int, int], text: str, ink: tuple[int, int, int]
) -> None:
    """Write a line that is as wide as a patch's pictures at most; what is longer is cut off."""
    line = PIL.Image.new("RGB", (STRIP_SIZE[0], LINE_PX), PAPER)
    font = PIL.ImageFont.load_default(LETTER_PX)
    PIL.ImageDraw.Draw(line).text((0, 0), text, fill=ink, font=font)
    canvas.paste(line, place)
