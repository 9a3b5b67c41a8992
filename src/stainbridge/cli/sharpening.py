"""Any slide written sharper."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.cli.output import say
from stainbridge.cli.unfinished import check_output, kept_parts, parts_folder

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide

TILE_PX, LEAST_TILE_PX = 1024, 256


def write_sharpened(
    run: Path,
    opened: Callable[[], Slide],
    write: Callable[[Slide], None],
    out: Path,
    made_from: tuple[Path, ...],
    how: str,
) -> None:
    """Sharpen the slide that `opened` opens, with the weights in `run`, and `write` it to `out`.

    Finished tiles are kept, as long as the files that the slide is `made_from`, and `how`, stay the
    same. Tiles are halved where memory runs out.
    """
    from stainbridge.learn.shipped import weights_path
    from stainbridge.translation.inference.apply import ApplyConfig, plan_of
    from stainbridge.translation.inference.inference import halving
    from stainbridge.translation.inference.parts import Parts
    from stainbridge.translation.sharpening.sharpen import read_sharpening, sharpened

    model = read_sharpening(weights_path(str(run)))

    def attempt(tile_px: int) -> None:
        config = ApplyConfig(tile_px)
        slide = opened()
        check_output(out, Path(slide.info.path))
        plan = plan_of(config, model.path, Path(slide.info.path), *made_from, how=how)
        parts = partial(Parts.open, parts_folder(out) / "sharpened", plan)
        with slide, sharpened(slide, model, config, say, parts=parts) as shown:
            write(shown)

    with kept_parts(out):
        halving(TILE_PX, LEAST_TILE_PX, attempt, say)
