"""Compare translated tiles with real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.compute import DeviceChoice
from stainbridge.errors import InputError, MissingFileError
from stainbridge.jobs.files.outputs import Inputs, check_output_folder
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress

if TYPE_CHECKING:
    from torch import device

    from stainbridge.datasets.tiles import TileFiles
    from stainbridge.evaluate.translation import (
        Comparison,
        Distances,
        MeanScores,
        ScoredPicture,
        TilePixels,
        TranslateFunction,
        TranslationMethod,
    )
    from stainbridge.nn.generators import Generator
    from stainbridge.translation.inference.model import Model

#: Rows of the grid of pictures.
GRID_ROWS = 6
#: The name of the row for the source itself, not translated.
UNTRANSLATED = "untranslated"
#: Files of weights whose name does not say which run they are of.
RUN_WEIGHTS = ("best.safetensors", "last.safetensors")


@dataclass(frozen=True)
class EvaluateTranslationOutcome:
    """How far translations are from the real stain."""

    split: str
    """Which part of the data was used."""
    pictures: int
    """How many tiles were compared."""
    size: str
    """Their size, for people: scores change with it."""
    means: tuple[MeanScores, ...]
    """Mean scores of each model, direction and level."""
    distributions: dict[str, dict[str, Any]]
    """FID and KID by model; empty without a feature network."""
    stains: tuple[str, str]
    """Source and target."""
    written: tuple[Path, ...]
    """The tables and the grid of pictures; empty when none were asked for."""


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
    most: int | None = None
    """Use this many tiles, evenly chosen; None uses all."""
    features: Path | None = None
    """A feature network, for FID and KID."""
    lpips: Path | None = None
    """A folder of LPIPS weights; None compares by no LPIPS."""
    device: DeviceChoice = "auto"
    """Where to compute."""
    overwrite: bool = False
    """Replace earlier tables in `out`."""

    def run(
        self,
        progress: Progress = ignore_progress,
        note: Note = ignore_note,  # noqa: ARG002 - every job takes both callbacks
    ) -> EvaluateTranslationOutcome:
        """Translate the tiles and score them.

        Raises `InputError` for bad input and an output that must not be written.
        """
        from stainbridge.evaluate.translation import compare_translations, mean_scores
        from stainbridge.evaluate.translation_sets import FeatureSets
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.metrics.distributions import load_feature_net
        from stainbridge.translation.inference.model import read_model

        self._check_output()
        models = [read_model(find_weights(str(path))) for path in self.models]
        models = [model.reverse() for model in models] if self.reverse else models
        files = self._choose_tiles()
        sets = None if self.features is None else FeatureSets(load_feature_net(self.features))
        step = (len(files) - 1) / max(1, GRID_ROWS - 1)
        shown = {round(row * step) for row in range(GRID_ROWS)}
        grid: list[Comparison] = []
        rows: list[ScoredPicture] = []
        tiles = self._read_pixels(files, models[0])
        methods = _make_methods(models, self.device)
        compared = compare_translations(tiles, methods, self._make_distances())
        for number, comparison in enumerate(compared):
            rows += comparison.rows
            if number in shown:
                grid.append(comparison)
            if sets is not None:
                sets.add(comparison)
            progress("translating", (number + 1) / len(files))
        outcome = EvaluateTranslationOutcome(
            split=self.split,
            pictures=len(files),
            size=", ".join(sorted({f"{row.width} x {row.height} px" for row in rows})),
            means=tuple(mean_scores(rows)),
            distributions={}
            if sets is None
            else {name: asdict(scores) for name, scores in sets.scores().items()},
            stains=(models[0].source or "source", models[0].target or "target"),
            written=() if self.out is None else self._output_files(self.out),
        )
        if self.out is not None:
            self._write(self.out, grid, rows, outcome)
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
        from stainbridge.evaluate.translation_files import GRID, MEANS_CSV, PICTURES_CSV

        return (out / PICTURES_CSV, out / MEANS_CSV, out / GRID)

    def _check_output(self) -> None:
        if self.out is None:
            return
        files = self._output_files(self.out)
        inputs = Inputs(
            files=(self.features,), data_folders=(self.data, self.lpips), runs=self.models
        )
        check_output_folder(self.out, inputs, [file.name for file in files])
        existing = [file for file in files if file.exists() or file.is_symlink()]
        if existing and not self.overwrite:
            raise InputError(
                "exists already", where=existing[0], remedy="name another folder or add --overwrite"
            )

    def _choose_tiles(self) -> list[TileFiles]:
        """Return the tiles of the split, or `most` of them, evenly chosen."""
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
            tiles = [tile for tile in tiles if tile.name.startswith(f"{self.split}/")]
        if not tiles:
            raise InputError(
                "no tiles of that split",
                where=self.data,
                expected=", ".join(splits),
                got=self.split,
            )
        count = min(self.most or len(tiles), len(tiles))
        return [tiles[number * len(tiles) // count] for number in range(count)]

    def _read_pixels(self, tiles: Sequence[TileFiles], model: Model) -> Iterator[TilePixels]:
        """Read the pixels of each tile, with the channels of the model."""
        from stainbridge.evaluate.translation import TilePixels
        from stainbridge.slides.open import open_slide
        from stainbridge.translation.objectives.pixels import match_channels

        for tile in tiles:
            with open_slide(tile.fixed) as first, open_slide(tile.moving) as second:
                source = first.read(first.frame).pixels
                target = second.read(second.frame).pixels
            if self.reverse:
                source, target = target, source
            yield TilePixels(
                tile.name,
                match_channels(source, model.source_channels, tile.name),
                match_channels(target, model.target_channels, tile.name),
            )

    def _write(
        self,
        out: Path,
        grid: Sequence[Comparison],
        rows: Sequence[ScoredPicture],
        outcome: EvaluateTranslationOutcome,
    ) -> None:
        from stainbridge.evaluate.translation_files import write_grid, write_rows

        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=out) from error
        pictures_csv, means_csv, grid_picture = outcome.written
        write_rows(pictures_csv, rows, {})
        write_rows(means_csv, outcome.means, outcome.distributions)
        write_grid(grid_picture, grid, *outcome.stains)


def _make_methods(models: Sequence[Model], device_name: DeviceChoice) -> list[TranslationMethod]:
    """Return a method for each model, named as briefly as tells them apart.

    The first method does nothing, where source and target have the same channels. Raises
    `InputError` for models that differ in channels.
    """
    import torch

    from stainbridge.compute import choose_device
    from stainbridge.evaluate.translation import TranslationMethod

    expected = (models[0].source_channels, models[0].target_channels)
    for model in models[1:]:
        channels = (model.source_channels, model.target_channels)
        if channels != expected:
            raise InputError(
                "models of other channels", where=model.path, expected=expected, got=channels
            )
    place = torch.device(choose_device(device_name))
    names = name_models([model.path for model in models])
    methods = [_make_method(name, model, place) for name, model in zip(names, models, strict=True)]
    if models[0].source_channels == models[0].target_channels:
        methods.insert(0, TranslationMethod(UNTRANSLATED, lambda pixels: pixels))
    return methods


def _make_method(name: str, model: Model, place: device) -> TranslationMethod:
    """Return a model's forward translation and, where it has one, the backward translation."""
    from stainbridge.evaluate.translation import TranslationMethod
    from stainbridge.translation.inference.inference import Inference, translate_picture

    def make_function(network: Generator, channels: int) -> TranslateFunction:
        inference = Inference(network.to(place), channels, place)
        return partial(translate_picture, inference, model.period)

    backward = None
    if model.reverse_generator is not None:
        backward = make_function(model.reverse_generator, model.target_channels)
    return TranslationMethod(name, make_function(model.generator, model.source_channels), backward)


def name_models(paths: Sequence[Path]) -> list[str]:
    """Return run folders' own names, or whole paths where own names are not different."""
    runs = [path.parent if path.name in RUN_WEIGHTS else path for path in paths]
    short = [run.stem if run.suffix == ".safetensors" else run.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run) for run in runs]
