"""Generate pairs of slides with their exact truth, as a data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.errors import InputError
from stainbridge.jobs.files.result_folder import result_folder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PixelSize, Seed, Within, check_ranges

if TYPE_CHECKING:
    import numpy as np

    from stainbridge.phantom.pairs.config import PairConfig
    from stainbridge.phantom.pairs.fragment_config import FragmentsConfig
    from stainbridge.phantom.pairs.generated_pair import GeneratedPair

PAIRS = "pairs.csv"
CASES = "cases.json"
STAINS = "HE,Ki67,PHH3,ER,HER2,PanCK,CD31,PAS,Masson"
#: Side of the slides in µm unless a pixel size is given: room for a section some 3 mm across.
EXTENT_UM = 4096.0
#: Finest pixel size in µm that is chosen: that of a 40x scan.
FINEST_MPP = 0.25
#: Bytes of a pixel of a pair: two pictures in colour.
PAIR_BYTES = 6
#: Share of pairs whose fixed slide is H&E, when H&E is among the stains.
ROUTINE_SHARE = 0.5


@dataclass(frozen=True)
class PhantomOutcome:
    """What was written."""

    folder: Path
    """The folder of the data set."""
    table: Path
    """The table of pairs, which benchmarks and training read."""
    cases: tuple[dict[str, Any], ...]
    """What is known of each pair, as in cases.json."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class PhantomJob:
    """The generation of a data set as one request.

    Files appear in `out` when the last pair is complete; an interrupted job leaves nothing.
    """

    out: Path
    """The folder for the data set; its parents are made."""
    cases: Annotated[int, Within(1, 1_000_000)] = 10
    """How many pairs."""
    size_px: Annotated[int, Within(1, 65536)] = 2048
    """Side of the slides, in pixels."""
    stains: str = STAINS
    """Stains to draw two different ones from, with commas between."""
    difficulty: str = "real"
    """How unlike the sections are: "easy", "real", "hard", "faint", "dense"; or several pieces:
    "fragments", "cores"."""
    organ: str = "any"
    """The kind of tissue; "any" draws one for each pair."""
    mpp: PixelSize | None = None
    """Pixel size in µm; None makes room for sections some 3 mm across."""
    seed: Seed = 0
    """Seed of the first pair; each later pair has the next one."""
    overwrite: bool = False
    """Replace an earlier data set in `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> PhantomOutcome:
        """Generate the pairs.

        Raises `InputError` for settings that make no slide and an output that must not be written.
        """
        from stainbridge.phantom.pairs.case_files import CASE_FOLDERS, write_case
        from stainbridge.slides.writing.limits import check_pixel_bytes

        began = time.perf_counter()
        check_pixel_bytes(
            self.cases * PAIR_BYTES * self.size_px**2,
            self.out,
            got=f"{self.cases} pairs of {self.size_px} x {self.size_px} pixels",
            remedy="generate fewer or smaller ones",
        )
        generators = self._plan_pairs()
        digits = max(3, len(str(self.cases - 1)))
        rows: list[dict[str, Any]] = []
        with result_folder(
            self.out, overwrite=self.overwrite, outputs=(CASES, PAIRS), folders=CASE_FOLDERS
        ) as folder:
            for number, generate in enumerate(generators):
                name = f"case_{number:0{digits}d}"

                def report(stage: str, fraction: float, number: int = number) -> None:
                    progress(stage, (number + fraction) / self.cases)

                pair, description = generate()
                files = write_case(pair, folder, name, report)
                rows.append({"case": name, **files, **description})
            _write_tables(rows, folder)
        seconds = time.perf_counter() - began
        return PhantomOutcome(self.out, self.out / PAIRS, tuple(rows), seconds)

    def _plan_pairs(self) -> list[Callable[[], tuple[GeneratedPair, dict[str, Any]]]]:
        """Return one function a pair that generates and describes it."""
        from stainbridge.phantom.pairs.case_files import describe_fragments, describe_pair
        from stainbridge.phantom.pairs.fragment_config import ARRANGEMENTS
        from stainbridge.phantom.pairs.fragment_pair import generate_fragments
        from stainbridge.phantom.pairs.pair import generate_pair

        def make_fragments(config: FragmentsConfig) -> tuple[GeneratedPair, dict[str, Any]]:
            fragments = generate_fragments(config)
            return fragments, describe_fragments(fragments)

        def make_pair(config: PairConfig) -> tuple[GeneratedPair, dict[str, Any]]:
            pair = generate_pair(config)
            return pair, describe_pair(pair)

        if self.difficulty in ARRANGEMENTS:
            return [partial(make_fragments, config) for config in self.fragment_configs()]
        return [partial(make_pair, config) for config in self.pair_configs()]

    def pair_configs(self) -> list[PairConfig]:
        """Return the settings of each pair: two different stains, drawn from the pair's own seed.

        Raises `InputError` for no stain, and for settings that make no slide.
        """
        from stainbridge.phantom.pairs.config import PairConfig
        from stainbridge.phantom.pairs.difficulty import DIFFICULTIES
        from stainbridge.phantom.pairs.fragment_config import ARRANGEMENTS

        if self.difficulty not in DIFFICULTIES:
            known = ", ".join((*DIFFICULTIES, *ARRANGEMENTS))
            raise InputError("unknown difficulty", expected=known, got=self.difficulty)
        return [
            PairConfig(**common, difficulty=self.difficulty)  # type: ignore[arg-type]
            for common in self._draw_common()
        ]

    def fragment_configs(self) -> list[FragmentsConfig]:
        """Return the settings of each pair of slides with several pieces, likewise."""
        from stainbridge.phantom.pairs.fragment_config import FragmentsConfig

        return [
            FragmentsConfig(**common, arrangement=self.difficulty)  # type: ignore[arg-type]
            for common in self._draw_common()
        ]

    def _draw_common(self) -> list[dict[str, Any]]:
        """Return what every kind of pair is told: seed, size, stains, organ."""
        import numpy as np

        names = [name.strip() for name in self.stains.split(",") if name.strip()]
        if not names:
            raise InputError("no stains to generate", expected=STAINS, got=self.stains)
        mpp = max(FINEST_MPP, EXTENT_UM / self.size_px) if self.mpp is None else self.mpp
        settings = []
        for seed in range(self.seed, self.seed + self.cases):
            fixed, moving = _draw_stains(names, np.random.default_rng([seed, 1]))
            settings.append(
                {
                    "seed": seed,
                    "size_px": self.size_px,
                    "mpp": mpp,
                    "fixed_stain": fixed,
                    "moving_stain": moving,
                    "organ": self.organ,
                }
            )
        return settings


def _draw_stains(names: list[str], rng: np.random.Generator) -> tuple[str, str]:
    """Draw two stains, different ones where there are two.

    Where H&E is among them, it stains the fixed slide half of the time.
    """
    twice = 2 if len(names) == 1 else 1
    fixed, moving = (str(name) for name in rng.permutation(names * twice)[:2])
    routine = [name for name in names if name.upper() in ("HE", "H&E")]
    if routine and moving != routine[0] and rng.uniform() < ROUTINE_SHARE:
        fixed = routine[0]
    return fixed, moving


def _write_tables(rows: list[dict[str, Any]], folder: Path) -> None:
    """Write `pairs.csv`, which benchmarks read, and `cases.json`, which holds everything."""
    import csv

    from stainbridge.json_values import format_json
    from stainbridge.phantom.pairs.case_files import PAIR_COLUMNS

    with (folder / PAIRS).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, PAIR_COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    (folder / CASES).write_text(format_json(rows) + "\n", encoding="utf-8")
