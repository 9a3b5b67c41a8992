"""Recognise a data set by its layout and read its cases.

A new layout is one new file with a `LAYOUT` and one line in the table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stainbridge.datasets import acrobat, anhir, hyreco, pairs, slices, tiles
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.case import Case
from stainbridge.slides.manifest import read_header

#: The layouts, in the order in which they are tried.
LAYOUTS = (
    pairs.LAYOUT,
    anhir.LAYOUT,
    acrobat.LAYOUT,
    hyreco.LAYOUT,
    tiles.LAYOUT,
    slices.LAYOUT,
)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Cases that belong together."""

    name: str
    """The name of its folder."""
    layout: str
    """The name of its layout."""
    root: Path
    """The folder of its files."""
    cases: tuple[Case, ...]
    """The pairs of slides."""


def read_data_set(path: Path) -> DataSet:
    """Read the data set at `path`, a table or a folder of any known layout.

    Slides are not opened, except by HyReCo for their pixel size. Raises `InputError` when there is
    nothing at `path`, no layout matches, or a file that the layout promises is missing.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError("no such data set", where=path)
    for layout in LAYOUTS:
        location = layout.find(path)
        if location is None:
            continue
        cases = layout.read(location)
        _check_names(cases, location)
        root = location if location.is_dir() else location.parent
        return DataSet(root.resolve().name, layout.name, root, tuple(cases))
    raise InputError(
        "not a known data-set layout",
        where=path,
        expected="; ".join(f"{layout.name} ({layout.signature})" for layout in LAYOUTS),
        got=None if path.is_dir() else f"the columns {', '.join(read_header(path))}",
    )


def _check_names(cases: list[Case], where: Path) -> None:
    if not cases:
        raise InputError("the data set has no cases", where=where)
    case_id, count = Counter(case.id for case in cases).most_common(1)[0]
    if count > 1:
        raise InputError(
            "two cases have the same name",
            where=f"{where}: {case_id}",
            expected="one each",
            got=count,
        )
