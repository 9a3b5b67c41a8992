"""The engines that align a slide pair, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Transform
from stainbridge.pairing.alignment import Alignment
from stainbridge.pairing.config import PairingConfig
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.slide import Slide

#: The module of each engine, whose function `align` is used; imported when it is asked for.
ENGINES = {
    "stainbridge": "stainbridge.pairing.engines.stainbridge",
    "elastix": "stainbridge.pairing.engines.elastix",
}


class AlignSlides(Protocol):
    """What an engine's module has under the name `align`."""

    def __call__(
        self,
        fixed: Slide,
        moving: Slide,
        config: PairingConfig,
        *,
        initial: Transform | None = None,
        masks: Masks = (None, None),
        progress: Progress = ignore_progress,
    ) -> Alignment:
        """Return the alignment, moving from fixed; a failed one says why.

        Args:
            fixed: The slide that stays in place.
            moving: The slide that is aligned to it.
            config: The engine's settings, and the resolution of the patches.
            initial: The pre-alignment, moving from fixed; None: the engine finds one.
            masks: Where tissue may be used on the fixed and the moving slide.
            progress: Called with what is done and the fraction of the whole.

        """
        ...


def find_engine(name: str) -> AlignSlides:
    """Return the engine of a name; raise as `check_engine` does."""
    check_engine(name)
    align: AlignSlides = import_module(ENGINES[name]).align
    return align


def check_engine(name: str) -> None:
    """Raise `InputError` for another name, `MissingExtraError` where its package is missing."""
    if name not in ENGINES:
        raise InputError("no such engine", expected=", ".join(ENGINES), got=name)
    if name == "elastix":
        from stainbridge.pairing.engines.elastix_block import check_elastix

        check_elastix()
