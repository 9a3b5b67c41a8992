"""Compare translated tiles with real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stainbridge.compute import DeviceChoice
from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.jobs.translation_methods import make_methods
from stainbridge.jobs.translation_outcome import (
    SHOWN_MEASURES,
    EvaluateTranslationOutcome,
    list_extra_columns,
    select_whole,
)
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.datasets.paired_set import ResidualSummary
    from stainbridge.datasets.tiles import TileFiles
    from stainbridge.evaluate.translation import (
        Comparison,
        Distances,
        ScoredPicture,
        TilePixels,
        TranslationMethod,
    )
    from stainbridge.translation.inference.model import Model

#: Rows of the grid of pictures.
GRID_ROWS = 6
#: The part of the data that the baselines learn from.
TRAINING_SPLIT = "train"


@dataclass(frozen=True, kw_only=True)
class EvaluateTranslationJob:
    """The evaluation of translations as one request; interrupted, it leaves nothing."""

    models: tuple[Path, ...]
    """Runs of `train translate`, weights, or names of weights."""
    data: Path
    """A folder of paired tiles."""
    out: Path | None = None
    """The folder for tables and a grid of pictures; its parents are made. None writes nothing."""
    split: str = "test"
    """Which part of the data to use."""
    reverse: bool = False
    """Translate the second stain to the first."""
    most: Annotated[int | None, Within(1, 1_000_000_000)] = None
    """Use this many tiles, evenly chosen; None uses all."""
    features: Path | None = None
    """A feature network, for FID and KID."""
    lpips: Path | None = None
    """A folder of LPIPS weights; None compares by no LPIPS."""
    baselines: bool = False
    """Score one colour for all, and the target of the most similar training tile, too."""
    shifts: bool = False
    """Score the real targets against themselves, shifted by up to 16 px."""
    device: DeviceChoice = "auto"
    """Where to compute."""
    overwrite: bool = False
    """Replace earlier tables in `out`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,
    ) -> EvaluateTranslationOutcome:
        """Translate the tiles and score them.

        Raises `InputError` for bad input and an output that must not be written.
        """
        self._check_output()
        note_few_steps(self.models, note)
        with nullcontext() if self.out is None else claim_folder(self.out):
            return self._evaluate(progress)

    def _evaluate(self, progress: Progress) -> EvaluateTranslationOutcome:
        """Translate the tiles, score them and write what was asked for."""
        from stainbridge.evaluate.translation import compare_translations, mean_scores
        from stainbridge.evaluate.translation_sets import FeatureSets
        from stainbridge.evaluate.translation_shifts import ShiftCurve, find_equal_shifts
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.metrics.distributions import load_feature_net
        from stainbridge.translation.inference.model import read_model

        models = [read_model(find_weights(str(path))) for path in self.models]
        models = [model.reverse() for model in models] if self.reverse else models
        files = self._choose_tiles()
        residual = self._summarise_residuals(files)
        sets = None if self.features is None else FeatureSets(load_feature_net(self.features))
        step = (len(files) - 1) / max(1, GRID_ROWS - 1)
        shown = {round(row * step) for row in range(GRID_ROWS)}
        grid: list[Comparison] = []
        rows: list[ScoredPicture] = []
        tiles = self._read_pixels(files, models[0])
        methods = make_methods(models, self.device) + self._make_baselines(models[0])
        distances = self._make_distances()
        curve = ShiftCurve(distances) if self.shifts else None
        compared = compare_translations(tiles, methods, distances)
        for number, comparison in enumerate(compared):
            rows += comparison.rows
            if number in shown:
                grid.append(comparison)
            if sets is not None:
                sets.add(comparison)
            if curve is not None:
                curve.add(comparison.pair.target, comparison.pair.name)
            progress("translating", (number + 1) / len(files))
        means = tuple(mean_scores(rows))
        shifts = () if curve is None else curve.means()
        outcome = EvaluateTranslationOutcome(
            split=self.split,
            pictures=len(files),
            size=", ".join(sorted({f"{row.width} x {row.height} px" for row in rows})),
            means=means,
            distributions={}
            if sets is None
            else {name: asdict(scores) for name, scores in sets.scores().items()},
            stains=(models[0].source or "source", models[0].target or "target"),
            written=() if self.out is None else self._output_files(self.out),
            residual=residual,
            shifts=shifts,
            equal_shifts=find_equal_shifts(shifts, select_whole(means), list(SHOWN_MEASURES))
            if shifts
            else {},
        )
        if self.out is not None:
            self._write(grid, rows, outcome)
        return outcome

    def _make_distances(self) -> Distances:
        """Return LPIPS by each network whose weights are there."""
        import torch

        from stainbridge.compute import choose_device
        from stainbridge.nn.lpips import Lpips, compare_pixels, find_lpips_files

        if self.lpips is None:
            return {}
        place = torch.device(choose_device(self.device))
        return {
            f"lpips_{files.network}": partial(compare_pixels, Lpips(files).to(place))
            for files in find_lpips_files(self.lpips)
        }

    def _output_files(self, out: Path) -> tuple[Path, ...]:
        from stainbridge.evaluate.translation_files import (
            GRID,
            MEANS_CSV,
            PICTURES_CSV,
            SHIFTS_CSV,
            SHIFTS_PICTURE,
        )

        shifts = (SHIFTS_CSV, SHIFTS_PICTURE) if self.shifts else ()
        return tuple(out / name for name in (PICTURES_CSV, MEANS_CSV, GRID, *shifts))

    def _check_output(self) -> None:
        if self.out is None:
            return
        files = self._output_files(self.out)
        inputs = Inputs(
            files=(self.features,), data_folders=(self.data, self.lpips), runs=self.models
        )
        check_output_folder(self.out, inputs, [file.name for file in files])
        for file in files:
            if file.is_dir():
                raise InputError("is a folder", where=file, expected="a file, or nothing")
        existing = [file for file in files if file.exists() or file.is_symlink()]
        if existing and not self.overwrite:
            raise InputError(
                "exists already", where=existing[0], remedy="name another folder or add --overwrite"
            )

    def _choose_tiles(self) -> list[TileFiles]:
        """Return the tiles of the split, or `most` of them, evenly chosen."""
        tiles = self._list_tiles(self.split)
        count = min(self.most or len(tiles), len(tiles))
        return [tiles[number * len(tiles) // count] for number in range(count)]

    def _list_tiles(self, split: str) -> list[TileFiles]:
        """Return the tiles of a split; data without splits are one."""
        from stainbridge.datasets.tiles import find, read_tiles

        if not self.data.is_dir() or find(self.data) is None:
            kind = InputError if self.data.exists() else MissingFileError
            raise kind(
                "no paired tiles there",
                where=self.data,
                expected="HE/test and IHC/test, testA and testB, or A and B",
            )
        tiles = read_tiles(self.data)
        splits = sorted({tile.name.partition("/")[0] for tile in tiles if "/" in tile.name})
        if splits:
            tiles = [tile for tile in tiles if tile.name.startswith(f"{split}/")]
        if not tiles:
            raise InputError(
                "no tiles of that split",
                where=self.data,
                expected=", ".join(splits),
                got=split,
            )
        return tiles

    def _make_baselines(self, model: Model) -> list[TranslationMethod]:
        """Return the trivial translations, where they are asked for."""
        from stainbridge.evaluate.translation_baselines import TrainingMemory

        if not self.baselines:
            return []
        tiles = self._list_tiles(TRAINING_SPLIT)
        if self.split == TRAINING_SPLIT or "/" not in tiles[0].name:
            raise InputError(
                "baselines need training tiles beside those that are scored",
                where=self.data,
                expected="a split train, and another one to score",
                remedy="leave out --baselines",
            )
        readers = [partial(self._read_tile, tile, model) for tile in tiles]
        return TrainingMemory.collect(readers).list_methods()

    def _summarise_residuals(self, tiles: Sequence[TileFiles]) -> ResidualSummary | None:
        """Return how well the tiles are aligned, as far as a paired set says it."""
        from stainbridge.datasets.paired_set import PairedSet, has_scores, summarise_residuals

        if not has_scores(self.data):
            return None
        patches = PairedSet.read(self.data).patches
        keys = [(tile.fixed.parent.name, tile.fixed.stem) for tile in tiles]
        return summarise_residuals([patches[key] for key in keys if key in patches])

    def _read_pixels(self, tiles: Sequence[TileFiles], model: Model) -> Iterator[TilePixels]:
        """Read the pixels of each tile, with the channels of the model."""
        for tile in tiles:
            yield self._read_tile(tile, model)

    def _read_tile(self, tile: TileFiles, model: Model) -> TilePixels:
        from stainbridge.evaluate.translation import TilePixels
        from stainbridge.slides.open import open_slide
        from stainbridge.translation.objectives.pixels import match_channels

        with open_slide(tile.fixed) as first, open_slide(tile.moving) as second:
            source = first.read(first.frame).pixels
            target = second.read(second.frame).pixels
        if self.reverse:
            source, target = target, source
        return TilePixels(
            tile.name,
            match_channels(source, model.source_channels, tile.name),
            match_channels(target, model.target_channels, tile.name),
        )

    def _write(
        self,
        grid: Sequence[Comparison],
        rows: Sequence[ScoredPicture],
        outcome: EvaluateTranslationOutcome,
    ) -> None:
        from stainbridge.evaluate.translation_files import write_grid, write_rows, write_shifts
        from stainbridge.evaluate.translation_shift_chart import write_shift_chart

        pictures_csv, means_csv, grid_picture, *shift_files = outcome.written
        write_rows(pictures_csv, rows, {})
        write_rows(means_csv, outcome.means, list_extra_columns(outcome))
        write_grid(grid_picture, grid, *outcome.stains)
        if shift_files:
            shifts_csv, chart = shift_files
            write_shifts(shifts_csv, outcome.shifts)
            measures = outcome.shown_measures
            write_shift_chart(chart, outcome.shifts, outcome.whole_means, measures)
