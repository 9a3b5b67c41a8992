"""Make a manifest from the slides of a folder, by a pattern of their names."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.whole import whole_file

#: What a pattern names, and the part of a path that it stands for.
PLACEHOLDERS = {"{case}": r"(?P<case>[^/]+?)", "{stain}": r"(?P<stain>[^/]+?)", "*": r"[^/]*"}
#: Columns of the manifests that are made.
PAIR_COLUMNS = ("case", "fixed", "moving")
BLOCK_COLUMNS = ("block", "slide", "stain", "role")
REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class CohortInitJob:
    """The making of a manifest as one request."""

    folder: Path
    """Where the slides are."""
    pattern: str
    """Names of slides below the folder, with {case} and {stain}, such as {case}_{stain}.svs."""
    out: Path
    """The manifest to write; its folder exists."""
    fixed: str = "he"
    """The stain that stays in place, in any case of letters."""
    blocks: bool = False
    """Whether to write blocks of slides instead of pairs."""
    overwrite: bool = False
    """Replace an existing manifest."""

    def run(self) -> CohortInitOutcome:
        """Write the manifest and return what it holds.

        Raises `InputError` for a pattern that matches nothing, for a manifest that must not be
        written, and where no case has the fixed stain and another.
        """
        from stainbridge.jobs.files.claim import claim_file
        from stainbridge.jobs.files.endings import CSV_ENDINGS, check_ending
        from stainbridge.jobs.files.outputs import Inputs, check_output_file

        slides = find_slides(self.folder, self.pattern)
        files = tuple(path for stains in slides.values() for path in stains.values())
        inputs = Inputs(files=files, data_folders=(self.folder,))
        check_output_file(self.out, inputs, overwrite=self.overwrite)
        check_ending(self.out, CSV_ENDINGS, ".csv")
        usable = {
            case: stains
            for case, stains in slides.items()
            if len(stains) > 1 and self._find_fixed(stains) is not None
        }
        if not usable:
            raise InputError(
                f"no case has {self.fixed} and another stain",
                where=self.folder,
                got=_name_stains(slides),
                remedy="name the fixed stain with --fixed",
            )
        rows = list(self._list_blocks(usable) if self.blocks else self._list_pairs(usable))
        columns = BLOCK_COLUMNS if self.blocks else PAIR_COLUMNS
        with (
            claim_file(self.out, inputs, overwrite=self.overwrite),
            whole_file(self.out) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        return CohortInitOutcome(self.out, len(rows), tuple(sorted(set(slides) - set(usable))))

    def _find_fixed(self, stains: Mapping[str, Path]) -> str | None:
        return next((stain for stain in stains if stain.lower() == self.fixed.lower()), None)

    def _list_pairs(self, slides: Mapping[str, Mapping[str, Path]]) -> Iterator[dict[str, str]]:
        """Yield a row for every other stain of a case."""
        for case, stains in slides.items():
            fixed = self._find_fixed(stains)
            assert fixed is not None
            for stain, path in stains.items():
                if stain != fixed:
                    name = case if len(stains) == 2 else f"{case}_{stain}"
                    yield {
                        "case": make_id(name),
                        "fixed": self._relate(stains[fixed]),
                        "moving": self._relate(path),
                    }

    def _list_blocks(self, slides: Mapping[str, Mapping[str, Path]]) -> Iterator[dict[str, str]]:
        """Yield a row for every slide of a case."""
        for case, stains in slides.items():
            for stain, path in stains.items():
                yield {
                    "block": make_id(case),
                    "slide": self._relate(path),
                    "stain": make_id(stain),
                    "role": REFERENCE if stain == self._find_fixed(stains) else "",
                }

    def _relate(self, path: Path) -> str:
        """Return a path relative to the manifest's folder."""
        return Path(os.path.relpath(path, self.out.parent)).as_posix()


@dataclass(frozen=True)
class CohortInitOutcome:
    """What was written."""

    manifest: Path
    """The manifest."""
    rows: int
    """Its rows."""
    skipped: tuple[str, ...]
    """Cases without the fixed stain, or without another."""


def find_slides(folder: Path, pattern: str) -> dict[str, dict[str, Path]]:
    """Return the slides below a folder that match a pattern, by case and stain, sorted.

    Raises `InputError` for a pattern without {case} and {stain}, where nothing matches, and for two
    slides of one case and stain.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder", where=folder)
    expression = compile_pattern(pattern)
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.rglob("*")):
        match = expression.fullmatch(path.relative_to(folder).as_posix())
        if match is None:
            continue
        stains = found.setdefault(match["case"], {})
        if match["stain"] in stains:
            raise InputError(
                f"two slides of case {match['case']} have the stain {match['stain']}",
                where=folder,
                got=f"{stains[match['stain']].name}, {path.name}",
                remedy="make the pattern narrower",
            )
        stains[match["stain"]] = path
    if not found:
        raise InputError(
            "no file matches the pattern",
            where=folder,
            expected=pattern,
            got=_name_files(folder),
        )
    return found


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern; raise `InputError` without {case} and {stain}."""
    for name in ("{case}", "{stain}"):
        if pattern.count(name) != 1:
            raise InputError(
                f"the pattern needs {name} once",
                expected="such as {case}_{stain}.svs",
                got=pattern,
            )
    parts = re.split(r"(\{case\}|\{stain\}|\*)", pattern)
    return re.compile("".join(PLACEHOLDERS.get(part, re.escape(part)) for part in parts))


def make_id(text: str) -> str:
    """Return a name in characters that ids may have."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).lstrip("._+-") or "case"


def _name_stains(slides: Mapping[str, Mapping[str, Path]]) -> str:
    return "stains " + ", ".join(sorted({stain for stains in slides.values() for stain in stains}))


def _name_files(folder: Path) -> str:
    names: Sequence[str] = [path.name for path in sorted(folder.iterdir())[:3]]
    return f"files such as {', '.join(names)}" if names else "an empty folder"
