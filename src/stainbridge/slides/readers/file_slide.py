"""A slide in a file: it pickles as the way it was opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.frame import Space
from stainbridge.slides.readers.pyramid_slide import PyramidSlide

Opener = Callable[..., "FileSlide"]


class FileSlide(PyramidSlide):
    """A pyramid slide that is read from a file.

    Pickling keeps the path, the options it was opened with and its space; the file is opened
    again where it is unpickled. Pickling a closed slide raises `InputError`, and so does
    unpickling where the file is missing or no longer the same picture.
    """

    _opener: Opener | None = None
    _options: dict[str, Any]
    _file: Path

    def remember_opener(self, opener: Opener, path: Path, **options: Any) -> Self:
        """Keep in mind that `opener(path, **options)` opened this slide; return the slide."""
        self._opener = opener
        self._file = path.absolute()
        self._options = options
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        self._require_open()
        if self._opener is None:
            raise InputError("it is not known how the slide was opened", where=self.info.path)
        opening = (self._opener, self._file, self._options)
        return _reopen, (*opening, self.frame.space, self.info.path)

    def _move_to(self, space: Space, path: str) -> None:
        """Take over the space and path of the slide that this one is a copy of."""
        self._levels = tuple(replace(level, space=space) for level in self._levels)
        self._info = replace(self._info, path=path)


def _reopen(
    opener: Opener, file: Path, options: dict[str, Any], space: Space, path: str
) -> FileSlide:
    if not file.exists():
        raise MissingFileError("no such file", where=file)
    slide = opener(file, **options)
    if _grid(slide.frame.space) != _grid(space):
        slide.close()
        raise InputError(
            "the file has changed since it was opened",
            where=file,
            expected=_describe(space),
            got=_describe(slide.frame.space),
        )
    slide._move_to(space, path)
    return slide


def _grid(space: Space) -> tuple[int, int, tuple[float, float], bool]:
    return space.height, space.width, space.mpp, space.calibrated


def _describe(space: Space) -> str:
    unit = "µm" if space.calibrated else "(no pixel size)"
    return f"{space.width} x {space.height} pixels of {space.mpp[0]:g} {unit}"
