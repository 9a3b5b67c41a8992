"""Which pictures of two folders belong together, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from stainbridge.datasets.files import list_files
from stainbridge.errors import InputError

#: Endings of pictures.
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".j2k")
#: Most pictures without their partners that a message lists.
_LISTED_PICTURES = 4


def list_pictures(folder: Path) -> set[str]:
    """Return the names of the pictures in a folder; none where there is no folder."""
    return {path.name for path in list_files(folder, ENDINGS)}


def match_names(first: Path, second: Path) -> list[tuple[str, str]]:
    """Return the names of the pictures that show one place in both folders, sorted.

    Names are the same, or differ in their ending only where that is clear. Raises `InputError` when
    one folder has pictures that the other has not.
    """
    names = list_pictures(first)
    others = list_pictures(second)
    matched = find_partners(names, others)
    unmatched = [first / name for name in names - set(matched)]
    unmatched += [second / name for name in others - set(matched.values())]
    if unmatched:
        paths = sorted(unmatched, key=lambda path: path.name)
        raise InputError(
            "a picture without its partner",
            where=paths[0],
            expected=f"the same names in {first.name} and {second.name}",
            got=_list_unmatched(paths),
        )
    if not names:
        raise InputError("no pictures", where=first, expected=", ".join(ENDINGS))
    return sorted(matched.items())


def find_partners(names: Collection[str], others: Collection[str]) -> dict[str, str]:
    """Return by name which other name is the same, or differs in its ending only.

    Names without a partner are left out, and those of which two differ in their ending only.
    """
    same = set(names) & set(others)
    by_stem = _index_stems(set(others) - same)
    partners = {name: name for name in same}
    for stem, name in _index_stems(set(names) - same).items():
        if stem in by_stem:
            partners[name] = by_stem[stem]
    return partners


def strip_ending(name: str) -> str:
    """Return a picture's name without its ending, which may be `.ome.tif`."""
    return Path(name).stem.removesuffix(".ome")


def order_naturally(name: str) -> list[str | int]:
    """Return a key that sorts numbers in names by value: `slice_2` before `slice_10`."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _index_stems(names: set[str]) -> dict[str, str]:
    """Return the names by what stands before their ending; none that two names share."""
    counts = Counter(map(strip_ending, names))
    return {strip_ending(name): name for name in names if counts[strip_ending(name)] == 1}


def _list_unmatched(paths: Sequence[Path]) -> str:
    """Return how many pictures have no partner, and which, the first of many."""
    listed = ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:_LISTED_PICTURES])
    more = ", …" if len(paths) > _LISTED_PICTURES else ""
    return f"{len(paths)} without: {listed}{more}"
