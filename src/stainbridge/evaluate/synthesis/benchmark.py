"""Run the comparison: cases, translations and methods in, rows out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.evaluate.ledger import landmark_digest
from stainbridge.evaluate.methods.alignment import Alignment, fail
from stainbridge.evaluate.row import slug
from stainbridge.evaluate.synthesis.ledger import SynthesisLedger, SynthesisSetup
from stainbridge.evaluate.synthesis.methods import SynthesisMethod, pre_align
from stainbridge.evaluate.synthesis.overlays import ScenePictures, write_overlays
from stainbridge.evaluate.synthesis.patches import MeasureConfig
from stainbridge.evaluate.synthesis.row import UNSEEN, RowKey, SynthesisRow
from stainbridge.evaluate.synthesis.ruler import Ruler
from stainbridge.evaluate.synthesis.scene import (
    NoSourceSlideError,
    Scene,
    Translation,
    open_scene,
)
from stainbridge.geometry.transform import Affine
from stainbridge.progress import Progress, ignore_progress
from stainbridge.slides.case import Case, OpenSlideFunction

#: The folder of pictures, and what the names of their grids begin with.
PICTURES = "pictures"
GRID = "grid"


@dataclass(frozen=True, eq=False)
class SynthesisPlan:
    """What is compared: every method on every case, as it is and through every translation."""

    data_sets: Mapping[str, Sequence[Case]]
    """The cases by the name of their data set."""
    methods: tuple[SynthesisMethod, ...]
    """The methods."""
    translations: tuple[Translation, ...]
    """The real pair and the translations."""
    same_stain: Mapping[tuple[str, str], OpenSlideFunction] = field(default_factory=dict)
    """By data set and case: opens the fixed section in the moving slide's stain."""
    measures: MeasureConfig = field(default_factory=MeasureConfig)
    """How patches and blocks are chosen."""

    def describe(self) -> SynthesisSetup:
        """Return what rows of this plan share, as a file keeps it: with lists for tuples."""
        setup = SynthesisSetup(
            version("stainbridge"),
            asdict(self.measures),
            {method.name: method.settings for method in self.methods},
            {item.name: item.settings for item in self.translations},
            {
                name: {case.id: landmark_digest(case) for case in cases}
                for name, cases in self.data_sets.items()
            },
        )
        return SynthesisSetup(**json.loads(json.dumps(asdict(setup))))


def ignore_row(row: SynthesisRow) -> None:
    """Take a new row and do nothing with it."""


def run_synthesis(
    plan: SynthesisPlan,
    out: Path,
    progress: Progress = ignore_progress,
    on_row: Callable[[SynthesisRow], None] = ignore_row,
) -> list[SynthesisRow]:
    """Run what the folder `out` does not hold yet; return the rows of this plan, in its order.

    The folder also gets a grid of pictures of the middle case of each data set. `on_row` is called
    with each new row. A method that fails leaves a row that says so. Raises `InputError` for no
    cases and for a folder with rows of another setup.
    """
    keys = list_keys(plan)
    ledger = SynthesisLedger(out, plan.describe())
    for name, cases in plan.data_sets.items():
        shown = cases[len(cases) // 2]
        for case in cases:
            for translation in plan.translations:
                key = (name, case.id, translation.name)
                pictures = ScenePictures(out / PICTURES, key) if case is shown else None
                scene_plan = _ScenePlan(plan, name, case, translation, pictures)
                for row in _run_methods(scene_plan, scene_plan.list_waiting(ledger.rows)):
                    ledger.add(row)
                    on_row(row)
                    done = sum(key in ledger.rows for key in keys)
                    progress(f"{case.id} {translation.name} {row.method}", done / len(keys))
        _write_grid(out, name, shown.id, ledger)
    return [ledger.rows[key] for key in keys]


def _write_grid(out: Path, data_set: str, case: str, ledger: SynthesisLedger) -> None:
    """Write the grid of a case with all translations and methods that the folder has of it.

    Translations that were never drawn are left out.
    """
    keys = [key for key in ledger.rows if key[:2] == (data_set, case)]
    translations = dict.fromkeys(key[2] for key in keys)
    methods = list(dict.fromkeys(key[3] for key in keys))
    pictures = [ScenePictures(out / PICTURES, (data_set, case, name)) for name in translations]
    drawn = [each for each in pictures if each.has_slides]
    if drawn:
        write_overlays(out / f"{GRID}-{slug((data_set,))}.png", drawn, methods)


def list_keys(plan: SynthesisPlan) -> list[RowKey]:
    """Return the keys of all rows of a plan, in its order; raises `InputError` for none."""
    keys = [
        (name, case.id, translation.name, method.name)
        for name, cases in plan.data_sets.items()
        for case in cases
        for translation in plan.translations
        for method in plan.methods
    ]
    if not keys:
        raise InputError("no cases to register", where=", ".join(plan.data_sets) or None)
    return keys


@dataclass(frozen=True, eq=False)
class _ScenePlan:
    """The methods on one case through one translation."""

    plan: SynthesisPlan
    data_set: str
    case: Case
    translation: Translation
    pictures: ScenePictures | None
    """Where its pictures go; None: none are drawn."""

    def list_waiting(self, rows: Mapping[RowKey, SynthesisRow]) -> list[SynthesisMethod]:
        """Return the methods without a row, and those whose pictures are missing."""
        return [method for method in self.plan.methods if not self._is_done(method.name, rows)]

    def _is_done(self, method: str, rows: Mapping[RowKey, SynthesisRow]) -> bool:
        row = rows.get((self.data_set, self.case.id, self.translation.name, method))
        if row is None:
            return False
        is_shown = self.pictures is not None and row.status not in UNSEEN
        return not is_shown or (self.pictures is not None and self.pictures.holds(method))


def _run_methods(
    scene_plan: _ScenePlan, methods: Sequence[SynthesisMethod]
) -> Iterator[SynthesisRow]:
    """Run methods on one case through one translation; yield a row as each ends."""
    if not methods:
        return
    plan, case, translation = scene_plan.plan, scene_plan.case, scene_plan.translation
    rows = [
        SynthesisRow(scene_plan.data_set, case.id, translation.name, method.name, "failed")
        for method in methods
    ]
    with ExitStack() as opened:
        try:
            open_same_stain = plan.same_stain.get((scene_plan.data_set, case.id))
            scene = opened.enter_context(open_scene(case, translation, open_same_stain))
        except InputError as error:
            status = "skipped" if isinstance(error, NoSourceSlideError) else "unreadable"
            yield from (replace(row, status=status, reason=str(error)) for row in rows)
            return
        ruler = Ruler(scene, plan.measures)
        pre_alignment = _PreAlignment(scene)
        for row, method in zip(rows, methods, strict=True):
            row = replace(row, translated=scene.translated, translation_s=scene.translation_s)
            alignment = _align(method, scene, pre_alignment)
            row = _add_alignment(row, alignment, ruler)
            if scene_plan.pictures is not None:
                transform = None if row.status == "failed" else alignment.transform
                scene_plan.pictures.draw(scene, method.name, transform)
            yield row


@dataclass(frozen=True, eq=False)
class _PreAlignment:
    """The global alignment of a scene, found when it is first asked for."""

    scene: Scene

    @cached_property
    def alignment(self) -> Alignment:
        """The alignment, with its wall time."""
        return _time(lambda: pre_align(*self.scene.seen))


def _align(method: SynthesisMethod, scene: Scene, pre_alignment: _PreAlignment) -> Alignment:
    """Run a method, after the pre-alignment where it begins there; add its wall time."""
    if not method.begins_aligned:
        return _time(lambda: method.align(*scene.seen, None))
    before = pre_alignment.alignment
    if not isinstance(before.transform, Affine):
        return replace(before, reason=f"not pre-aligned: {before.reason}")
    placement = before.transform
    after = _time(lambda: method.align(*scene.seen, placement))
    return replace(after, seconds=(before.seconds or 0.0) + (after.seconds or 0.0))


def _time(align: Callable[[], Alignment]) -> Alignment:
    """Return an alignment with its wall time; one that raises has failed, and says why."""
    began = time.perf_counter()
    try:
        alignment = align()
    except Exception as error:  # a method may raise anything: that is its result
        lines = str(error).strip().splitlines()
        alignment = fail(f"{type(error).__name__}: {lines[-1] if lines else ''}")
    return replace(alignment, seconds=time.perf_counter() - began)


def _add_alignment(row: SynthesisRow, alignment: Alignment, ruler: Ruler) -> SynthesisRow:
    """Return the row of an alignment with what it measures."""
    row = replace(row, status=alignment.status, reason=alignment.reason, seconds=alignment.seconds)
    if alignment.transform is None:
        return row
    try:
        return replace(row, **ruler.measure(alignment.transform))
    except InputError as error:
        return replace(row, status="failed", reason=str(error))
