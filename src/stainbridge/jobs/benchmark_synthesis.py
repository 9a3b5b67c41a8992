"""Measure whether translating one slide of a pair first helps to register it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from stainbridge.compute import DeviceChoice
from stainbridge.errors import InputError
from stainbridge.jobs.benchmark import name_data_sets
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PartialShare, PixelSize, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.datasets.layouts import DataSet
    from stainbridge.evaluate.synthesis.benchmark import SynthesisPlan
    from stainbridge.evaluate.synthesis.methods import FindField, SynthesisMethod
    from stainbridge.evaluate.synthesis.patches import MeasureConfig
    from stainbridge.evaluate.synthesis.row import SynthesisRow
    from stainbridge.evaluate.synthesis.scene import Translation
    from stainbridge.evaluate.synthesis.tables import SynthesisSummary
    from stainbridge.geometry.transform import Affine, DisplacementField
    from stainbridge.joint.models import FieldNetwork
    from stainbridge.slides.case import OpenSlideFunction
    from stainbridge.slides.slide import Slide
    from stainbridge.translation.inference.model import Model

#: Which slide of a pair is translated: the one in the model's source stain, or always the same.
TranslateChoice: TypeAlias = Literal["auto", "fixed", "moving"]

#: What unnamed translations are called: with the number of their run.
SYNTHETIC = "syn-{}"


@dataclass(frozen=True)
class BenchmarkSynthesisOutcome:
    """What the comparison left in its folder."""

    folder: Path
    """The folder of everything."""
    table: Path
    """The table of rows."""
    rows: int
    """How many rows the folder holds."""
    summaries: tuple[SynthesisSummary, ...]
    """Means by data set, method and translation."""
    seconds: float
    """How long the job took."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkSynthesisJob:
    """The comparison as one request.

    Rows are kept in `out`; an interrupted job is resumed by the same job.
    """

    data: tuple[Path, ...]
    """Tables or folders of data sets."""
    out: Path
    """The folder for everything; its parents are made."""
    methods: tuple[str, ...]
    """Names of methods, runs that register, or NAME=RUN; `identity` is always among them."""
    translators: tuple[str, ...] = ("real",)
    """`real`, and runs of `train translate` as RUN or NAME=RUN."""
    translate: TranslateChoice = "auto"
    """Which slide is translated."""
    patch_px: Annotated[int, Within(16, 8192)] = 256
    """Side of a patch in pixels."""
    mpp: PixelSize | None = None
    """Pixel size of patches in µm; None is the fixed slide's full resolution."""
    min_tissue: PartialShare = 0.7
    """A patch has more than this share of tissue."""
    max_patches: Annotated[int, Within(1, 1_000_000)] = 64
    """Of more patches of a slide, this many are taken, evenly."""
    device: DeviceChoice = "auto"
    """Where to translate, and where networks of runs compute."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> BenchmarkSynthesisOutcome:
        """Run what `out` does not hold yet.

        `note` is told of runs that ended badly. Raises `InputError` for bad input, and for a folder
        with rows of other settings or anything else; then nothing is written.
        """
        from stainbridge.evaluate.synthesis.benchmark import run_synthesis
        from stainbridge.evaluate.synthesis.ledger import ROWS, read_rows
        from stainbridge.evaluate.synthesis.tables import summarise_rows

        began = time.perf_counter()
        plan = self._plan(note)
        with claim_folder(self.out):
            run_synthesis(plan, self.out, progress)
        rows = read_rows(self.out)
        _note_bad_endings(rows, note)
        summaries = tuple(summarise_rows(rows))
        seconds = time.perf_counter() - began
        return BenchmarkSynthesisOutcome(self.out, self.out / ROWS, len(rows), summaries, seconds)

    def _plan(self, note: Note) -> SynthesisPlan:
        """Check everything, and return what to run; nothing is written."""
        from stainbridge.datasets.layouts import read_data_set
        from stainbridge.evaluate.synthesis.benchmark import SynthesisPlan, list_keys
        from stainbridge.evaluate.synthesis.ledger import ROWS, SETUP, check_folder

        measures = self._measures()
        runs = [_split_name(word)[1] for word in (*self.methods, *self.translators)]
        inputs = Inputs(
            files=tuple(path for path in self.data if path.is_file()),
            runs=tuple(run for run in map(Path, runs) if run.exists()),
        )
        check_output_folder(self.out, inputs, (ROWS, SETUP))
        note_few_steps((run for run in runs if Path(run).exists()), note)
        data_sets = name_data_sets([read_data_set(path) for path in self.data])
        translations = self._translations(note)
        cases, same_stain = _add_generated_truth(data_sets)
        plan = SynthesisPlan(cases, self._methods(), translations, same_stain, measures)
        list_keys(plan)
        check_folder(self.out, plan.describe())
        return plan

    def _measures(self) -> MeasureConfig:
        from stainbridge.evaluate.synthesis.patches import MeasureConfig

        return MeasureConfig(
            patch_px=self.patch_px,
            mpp=self.mpp,
            min_tissue=self.min_tissue,
            max_patches=self.max_patches,
        )

    def _methods(self) -> tuple[SynthesisMethod, ...]:
        """Return the methods; raises `InputError` for unknown ones and for runs of other tasks."""
        from stainbridge.evaluate.synthesis.row import IDENTITY

        names = dict.fromkeys((IDENTITY, *self.methods))
        methods = [self._find_method(word) for word in names]
        _check_unique([method.name for method in methods], "--methods")
        return tuple(methods)

    def _find_method(self, word: str) -> SynthesisMethod:
        from stainbridge.evaluate.methods import learned
        from stainbridge.evaluate.methods.registry import METHODS, find_method
        from stainbridge.evaluate.synthesis import methods
        from stainbridge.evaluate.synthesis.row import IDENTITY
        from stainbridge.registration.config import PRESETS

        name, run = _split_name(word)
        if name == IDENTITY:
            return methods.identity()
        if name == methods.AFFINE:
            return methods.affine()
        if run or word in learned.DEFORMABLE or (word not in METHODS and Path(word).exists()):
            return self._network_method(name or Path(word).name, run or word)
        if word not in METHODS and ":" not in word:
            known = ", ".join(dict.fromkeys((IDENTITY, methods.AFFINE, *METHODS)))
            raise InputError(
                "no such method", where=word, expected=f"{known}, MODULE:FUNCTION, RUN or NAME=RUN"
            )
        method = find_method(word)
        method.check()
        whole = word in PRESETS or word in learned.LEARNED
        return methods.whole_pipeline(method) if whole else methods.after_pre_alignment(method)

    def _network_method(self, name: str, run: str) -> SynthesisMethod:
        from stainbridge.compute import choose_device
        from stainbridge.evaluate.synthesis.methods import network
        from stainbridge.joint.models import load_field
        from stainbridge.learn.digest import digest_weights
        from stainbridge.learn.named_weights import find_weights

        path = find_weights(run)
        loaded = load_field(path, choose_device(self.device))
        return network(name, _field_finder(loaded), {"weights": digest_weights(path)})

    def _translations(self, note: Note) -> tuple[Translation, ...]:
        """Return the translations; raises `InputError` for runs that are not of translations."""
        from stainbridge.evaluate.synthesis.row import REAL
        from stainbridge.evaluate.synthesis.scene import REAL_PAIR

        translations = []
        runs = 0
        for word in self.translators:
            if word == REAL:
                translations.append(REAL_PAIR)
                continue
            runs += 1
            name, run = _split_name(word)
            named = name if "=" in word else SYNTHETIC.format(runs)
            translations.append(self._translation(named, run or word, note))
        _check_unique([item.name for item in translations], "--translators")
        return tuple(translations)

    def _translation(self, name: str, run: str, note: Note) -> Translation:
        from stainbridge.evaluate.synthesis.scene import Translation
        from stainbridge.learn.digest import digest_weights
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.translation.inference.model import read_model

        model = read_model(find_weights(run))
        settings = {
            "weights": digest_weights(model.path),
            "objective": model.objective,
            "source": model.source,
            "target": model.target,
            "mpp": model.mpp,
            "translate": self.translate,
        }
        return Translation(
            name,
            partial(_translate, model, self.device, note),
            model.source,
            None if self.translate == "auto" else self.translate,
            settings,
        )


def _split_name(word: str) -> tuple[str, str]:
    """Return the name and the run of NAME=RUN; the word and "" of anything else."""
    name, separator, run = word.partition("=")
    if separator and not (name and run):
        raise InputError("not a name and a run", expected="NAME=RUN", got=word)
    return name, run


def _check_unique(names: Sequence[str], option: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                "two of the same name", where=option, got=name, remedy="name them by NAME=RUN"
            )


def _field_finder(network: FieldNetwork) -> FindField:
    """Return the network as a function of slides and a placement."""

    def find_field(fixed: Slide, moving: Slide, placement: Affine) -> DisplacementField:
        return network.register_slides(fixed, moving, placement, (None, None))

    return find_field


def _translate(model: Model, device: DeviceChoice, note: Note, slide: Slide) -> Slide:
    """Return a slide as `register --translator` sees it."""
    from stainbridge.joint.synthesis import SyntheticSlide, choose_apply_config

    return SyntheticSlide(slide, model, replace(choose_apply_config(model), device=device), note)


def _add_generated_truth(
    data_sets: Mapping[str, DataSet],
) -> tuple[dict[str, list[Any]], dict[tuple[str, str], OpenSlideFunction]]:
    """Return the cases by data set, and the same sections in one stain where they are known."""
    from stainbridge.datasets.generated_truth import (
        add_classes,
        read_generated_cases,
        same_stain_opener,
    )

    cases: dict[str, list[Any]] = {}
    same_stain = {}
    for name, data_set in data_sets.items():
        records = read_generated_cases(data_set.root)
        cases[name] = []
        for case in data_set.cases:
            record = records.get(case.id)
            cases[name].append(case if record is None else add_classes(case, record, data_set.root))
            if record is not None:
                same_stain[name, case.id] = same_stain_opener(record)
    return cases, same_stain


def _note_bad_endings(rows: Sequence[SynthesisRow], note: Note) -> None:
    for status in ("unreadable", "skipped", "failed"):
        ended_so = [row for row in rows if row.status == status]
        if ended_so:
            first = ended_so[0]
            count = f"{len(ended_so)} run{'s' if len(ended_so) > 1 else ''}"
            example = f"{first.method} on {first.case}, {first.translation}: {first.reason}"
            note(f"{status}: {count}; {example}")
