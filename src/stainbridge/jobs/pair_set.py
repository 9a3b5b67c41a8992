"""Build a paired data set: the patches of many slide pairs, and what a set holds beside them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.compute import available_cores
from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.jobs.files.set_folder import SetFolder, list_outputs
from stainbridge.jobs.pairs import PairsJob, PairsOutcome, describe_pair, list_files
from stainbridge.pairing.config import PairingConfig
from stainbridge.partial import remove_abandoned
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PartialShare, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.pairing.patch import Patch
    from stainbridge.pairing.source import SlidePair
    from stainbridge.pairing.write.summary import SetSummary, SkippedPair

#: Fraction of the progress when all patches are cut.
CUT = 0.95


@dataclass(frozen=True)
class PairSetOutcome:
    """What was built."""

    folder: Path
    """The folder of the set."""
    pairs: tuple[PairsOutcome, ...]
    """What became of each slide pair, in the manifest's order."""
    summary: SetSummary
    """The counts of the set."""
    md5: str
    """The MD5 of the set; empty where no patch was measured."""
    cut: int
    """Patches that were measured in this run."""
    seconds: float
    """How long this run took."""
    is_already_done: bool = False
    """Whether the set was there already, of the same slides and settings."""

    @property
    def kept(self) -> int:
        """Patches in the set."""
        return self.summary.total.kept

    @property
    def skipped(self) -> tuple[PairsOutcome, ...]:
        """The slide pairs that could not be used."""
        return tuple(pair for pair in self.pairs if pair.status == "failed")


@dataclass(frozen=True, kw_only=True)
class PairSetJob:
    """The building of a paired data set as one request.

    Either a manifest or two slides are given. An interrupted job is run again and resumes: slide
    pairs that are done are not done again, and the set has the same bytes.
    """

    out: Path
    """The folder for the set; its parents are made."""
    manifest: Path | None = None
    """A CSV of slide pairs; see docs/pairs.md."""
    fixed: Path | None = None
    """The fixed slide of a single pair."""
    moving: Path | None = None
    """The moving slide of a single pair."""
    single: dict[str, Any] = field(default_factory=dict)
    """Further fields of `SlidePair` for a single pair; None where not given."""
    config: PairingConfig = field(default_factory=PairingConfig)
    """Resolution, engine and thresholds."""
    test_share: PartialShare | None = None
    """Share of patients to test on, where the manifest has no splits; None: a fifth."""
    val_share: PartialShare | None = None
    """Share of patients to validate on, where the manifest has no splits; None: none."""
    shard_samples: Annotated[int | None, Within(1, 1_000_000_000)] = None
    """Samples of a WebDataset shard; None: no shards."""
    workers: Annotated[int | None, Within(1, 1024)] = None
    """Slide pairs at a time; None: two where there are two cores."""
    overwrite: bool = False
    """Replace an earlier set of other settings in `out`; other files in it stay."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(self, progress: Progress = ignore_progress, note: Note = ignore_note) -> PairSetOutcome:
        """Build the set and return what was built.

        Slide pairs that cannot be aligned are noted and skipped. Raises `InputError` for bad input,
        before any file is written.
        """
        began = time.monotonic()
        pairs = self.list_pairs()
        self._check(pairs)
        request = self._request(pairs)
        jobs = [PairsJob(pair=pair, out=self.out, config=self.config) for pair in pairs]
        folder = SetFolder(self.out)
        done = {job.pair.id: outcome for job in jobs if (outcome := job.read_done())}
        is_done = len(done) == len(jobs) and folder.is_complete(request, self.shard_samples)
        if is_done and not self.overwrite:
            note(f"already done: {self.out}")
            found = self._outcome(jobs, done, _read_patches(jobs, done), folder.read_md5(), began)
            return replace(found, is_already_done=True)
        with claim_folder(self.out):
            folder.prepare(request, self.shard_samples, overwrite=self.overwrite)
            try:
                outcomes = self._cut(jobs, progress, note)
            finally:
                remove_abandoned(self.out, deep=True)
            patches = _read_patches(jobs, outcomes)
            md5 = self._assemble(jobs, outcomes, patches, progress, note)
        return self._outcome(jobs, outcomes, patches, md5, began)

    def _assemble(
        self,
        jobs: list[PairsJob],
        outcomes: dict[str, PairsOutcome],
        patches: list[Patch],
        progress: Progress,
        note: Note,
    ) -> str:
        """Write what a set holds beside its pictures; return its MD5, "" where it has no patch."""
        from stainbridge.pairing.write.assemble import assemble_set

        if not patches:
            return ""
        return assemble_set(
            self.out,
            patches,
            self.config,
            skipped=_list_skipped(jobs, outcomes),
            shard_samples=self.shard_samples,
            progress=lambda stage, fraction: progress(stage, CUT + (1 - CUT) * fraction),
            note=note,
        ).md5

    def list_pairs(self) -> tuple[SlidePair, ...]:
        """Return the slide pairs; raise `InputError` where they cannot be used."""
        from stainbridge.pairing.manifest import SplitShares, make_single_pair, read_slide_pairs

        given = {name: value for name, value in self.single.items() if value is not None}
        given_shares = {
            name: value
            for name, value in (("test", self.test_share), ("val", self.val_share))
            if value is not None
        }
        if self.manifest is not None:
            if self.fixed is not None or self.moving is not None or given:
                names = ["fixed", "moving"] if self.fixed or self.moving else list(given)
                raise InputError(
                    "a manifest and options of a single pair exclude each other",
                    got=", ".join(f"--{name.replace('_', '-')}" for name in names),
                    remedy="put them into the manifest, or leave it out",
                )
            shares = SplitShares(**given_shares) if given_shares else None
            return read_slide_pairs(self.manifest, shares, self.config.seed)
        if self.fixed is None or self.moving is None:
            raise InputError(
                "no slides to pair", remedy="give MANIFEST.csv, or --fixed and --moving"
            )
        if given_shares:
            raise InputError("shares need a manifest", remedy="a single pair is all for training")
        return (make_single_pair(self.fixed, self.moving, **given),)

    def _check(self, pairs: tuple[SlidePair, ...]) -> None:
        """Raise `InputError` for what would fail later."""
        from stainbridge.jobs.files.initial_transform import check_point_files
        from stainbridge.pairing.engines.table import check_engine
        from stainbridge.pairing.write.shards import check_samples

        if self.workers is not None and self.workers < 1:
            raise InputError("workers must be positive", got=self.workers)
        if self.shard_samples is not None:
            check_samples(self.shard_samples)
        check_engine(self.config.engine)
        for pair in pairs:
            if pair.fixed_landmarks is not None and pair.moving_landmarks is not None:
                check_point_files(pair.fixed_landmarks, pair.moving_landmarks)
        files = [file for pair in pairs for file in list_files(pair).values()]
        check_output_folder(self.out, Inputs(files=(self.manifest, *files)), list_outputs())

    def _request(self, pairs: tuple[SlidePair, ...]) -> dict[str, Any]:
        """Return what the set is made of and how, as JSON values."""
        from stainbridge.json_values import to_json_values

        request = {
            "version": version("stainbridge"),
            "config": asdict(self.config),
            "pairs": [describe_pair(pair) for pair in pairs],
        }
        plain: dict[str, Any] = to_json_values(request)
        return plain

    def _cut(self, jobs: list[PairsJob], progress: Progress, note: Note) -> dict[str, PairsOutcome]:
        """Cut the patches of every pair and return the outcomes by id."""
        from stainbridge.jobs.pair_processes import run_in_processes

        outcomes: dict[str, PairsOutcome] = {}

        def take(outcome: PairsOutcome) -> None:
            outcomes[outcome.id] = outcome
            if outcome.status == "failed":
                note(f"skipped: {outcome.id}: {outcome.reason}")

        def report(stage: str, fraction: float) -> None:
            progress(stage, CUT * fraction)

        workers = self.workers or min(2, available_cores())
        left = []
        for job in jobs:
            if done := job.read_done():
                take(done)
            else:
                left.append(job)
        threads = max(1, available_cores() // max(1, min(workers, len(left))))
        left = [replace(job, threads=threads) for job in left]
        if workers > 1 and len(left) > 1:
            run_in_processes(left, workers, report, note, take)
            return outcomes
        for number, job in enumerate(left):

            def report_job(stage: str, fraction: float, number: int = number) -> None:
                report(stage, (number + fraction) / len(left))

            take(job.run(report_job, note))
        return outcomes

    def _outcome(
        self,
        jobs: list[PairsJob],
        outcomes: dict[str, PairsOutcome],
        patches: list[Patch],
        md5: str,
        began: float,
    ) -> PairSetOutcome:
        from stainbridge.pairing.write.summary import summarise

        return PairSetOutcome(
            folder=self.out,
            pairs=tuple(outcomes[job.pair.id] for job in jobs),
            summary=summarise(patches, self.config.thresholds),
            md5=md5,
            cut=sum(item.patches for item in outcomes.values() if not item.is_already_done),
            seconds=time.monotonic() - began,
        )


def _read_patches(jobs: Sequence[PairsJob], outcomes: Mapping[str, PairsOutcome]) -> list[Patch]:
    """Return all patches of the pairs that have any, pair by pair."""
    measured = [job for job in jobs if outcomes[job.pair.id].patches]
    return [patch for job in measured for patch in job.read_patches()]


def _list_skipped(
    jobs: Sequence[PairsJob], outcomes: Mapping[str, PairsOutcome]
) -> list[SkippedPair]:
    from stainbridge.pairing.write.summary import SkippedPair

    ordered = [outcomes[job.pair.id] for job in jobs]
    return [SkippedPair(item.id, item.reason) for item in ordered if item.status == "failed"]
