"""Any slide, sharpened while it is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.jobs.files.finished_tiles import SHARPENED, keep_finished_tiles, tiles_folder
from stainbridge.progress import Note

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide

#: Side of the tiles shown to the network, in pixels: few tiles, and they fit into 4 GB of memory.
LARGEST_TILE_PX = 1024
#: When memory runs out, tiles are halved down to this side, in pixels.
SMALLEST_TILE_PX = 256


def write_sharpened(
    run: Path,
    open_slide: Callable[[], Slide],
    write: Callable[[Slide], None],
    out: Path,
    sources: tuple[Path, ...],
    variant: str,
    note: Note,
) -> None:
    """Sharpen the slide that `open_slide` opens and hand it to `write`, which writes `out`.

    The weights are in `run`. Finished tiles are kept on disk; they are used again while the files
    in `sources` and the `variant` stay the same. Tiles are halved when memory runs out.
    """
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.translation.inference.apply import ApplyConfig, tile_key
    from stainbridge.translation.inference.inference import halve_until_it_fits
    from stainbridge.translation.inference.tile_store import TileStore
    from stainbridge.translation.sharpening.sharpen import read_sharpening, sharpen_slide

    model = read_sharpening(find_weights(str(run)))

    def attempt(tile_px: int) -> None:
        config = ApplyConfig(tile_px)
        slide = open_slide()
        plan = tile_key(config, model.path, Path(slide.info.path), *sources, how=variant)
        open_store = partial(TileStore.open, tiles_folder(out) / SHARPENED, plan)
        with slide, sharpen_slide(slide, model, config, note, open_store=open_store) as sharp:
            write(sharp)

    with keep_finished_tiles(out, note):
        halve_until_it_fits(LARGEST_TILE_PX, SMALLEST_TILE_PX, attempt, note)
