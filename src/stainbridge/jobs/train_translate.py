"""Train a translation from one stain to another."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.jobs.training.run_folder import GENERATED
from stainbridge.jobs.training.tiles import GENERATED_MPP, is_manifest, open_tiles
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.progress import Note
from stainbridge.ranges import PartialShare, PixelSize, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task
    from stainbridge.translation.training.config import TranslationTraining

#: Source and target stain of generated tissue unless others are asked for.
GENERATED_STAINS = ("HE", "HER2")
#: Source and target stain of pictures unless others are named.
PICTURE_STAINS = ("HE", "IHC")


@dataclass(frozen=True, kw_only=True)
class TrainTranslateJob(TrainJob["TranslationTraining"]):
    """Train a translation from one stain to another.

    `data` is a folder of tiles, two folders with a comma between, or a table of slides.
    """

    command: ClassVar[str] = "train translate"

    objective: str | None = None
    """What is learned, a name of the table of objectives; None is "pyramid-pix2pix"."""
    source: str | None = None
    """The stain to start from; None is HE."""
    target: str | None = None
    """The stain to make; None is IHC, or HER2 on generated tissue."""
    mpp: PixelSize | None = None
    """Pixel size of the tiles, in µm; None is that of the data where they know it."""
    reverse: bool = False
    """Exchange source and target."""
    perceptual: Path | None = None
    """Weights of VGG-16 for a perceptual loss; without them it has a seeded network."""
    average: PartialShare | None = None
    """Decay of a moving average of the weights, 0.999 for example; None keeps none."""
    init: Path | None = None
    """A run, or a name of weights, whose networks to begin with."""
    max_residual: Annotated[float | None, Within(0, 1e4, above=True)] = None
    """Leave out pairs of a paired set that are misaligned by more pixels; None: none."""
    weight_by_residual: bool = False
    """Weigh pairs of a paired set by their misalignment where they are compared."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def _settings_type(self) -> type[TranslationTraining]:
        from stainbridge.translation.training.config import TranslationTraining

        return TranslationTraining

    def _make_preset(self) -> TranslationTraining:
        objective = self.objective or "pyramid-pix2pix"
        settings = self._settings_type().preset(objective, self.preset or "small")
        translation = settings.translation
        if self.perceptual is not None:
            weights = str(self.perceptual.resolve())
            objective_config = translation.objective.with_perceptual_weights(weights)
            translation = replace(translation, objective=objective_config)
        source, target = self._stains()
        translation = replace(translation, source=source, target=target, mpp=self._tile_mpp())
        tiles = replace(
            settings.tiles,
            reverse=self.reverse,
            max_residual_px=self.max_residual,
            weight_by_residual=self.weight_by_residual,
        )
        return replace(settings, translation=translation, tiles=tiles)

    def _stains(self) -> tuple[str, str]:
        """Return the source and the target stain."""
        source, target = GENERATED_STAINS if self._is_generated else PICTURE_STAINS
        if self.reverse:
            source, target = target, source
        return self.source or source, self.target or target

    def _tile_mpp(self) -> float | None:
        """Return the pixel size of the tiles in µm; None where nothing says it."""
        if self.mpp is not None:
            return self.mpp
        if self._is_generated:
            return GENERATED_MPP
        return _read_manifest_mpp(self.data or "")

    @property
    def _is_generated(self) -> bool:
        return self.data in (None, "", GENERATED)

    def _open_data(
        self, settings: TranslationTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        from stainbridge.nn.perceptual import SEEDED

        name = settings.translation.objective.perceptual_network
        if name is not None:
            remark = " (no --perceptual was given)" if name == SEEDED else ""
            note(f"perceptual network: {name}{remark}")
        return open_tiles(data, settings, note)

    def _make_task(
        self,
        settings: TranslationTraining,
        samples: TrainingData,  # noqa: ARG002  # networks depend on settings alone
    ) -> Task[Any]:
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.translation.inference.model import initialise_from
        from stainbridge.translation.objectives.table import make_task

        task = make_task(settings.translation)
        if self.init is not None:
            initialise_from(task, find_weights(str(self.init)))
        return task

    def _fit_to_steps(self, settings: TranslationTraining) -> TranslationTraining:
        return settings if self.steps is None else settings.fit_to_steps(self.steps)

    def _finish(self, settings: TranslationTraining, data: str) -> None:
        """Write the model card."""
        from stainbridge.learn.training_log import METRICS_FILE, read_rows
        from stainbridge.translation.training.model_card import CARD_FILE, render_model_card
        from stainbridge.whole import whole_file

        rows = read_rows(self.out / METRICS_FILE)
        pairs = _describe_pairs(settings, data)
        card = render_model_card(settings, data, rows, version("stainbridge"), pairs)
        with whole_file(self.out / CARD_FILE) as temporary:
            temporary.write_text(card, encoding="utf-8")

    def _inputs(self) -> Inputs:
        inputs = super()._inputs()
        folders = [Path(name) for name in (self.data or "").split(",") if Path(name).is_dir()]
        return replace(inputs, data_folders=tuple(folders), runs=(self.init,))

    def _own_options(self) -> Mapping[str, Any]:
        return {
            "objective": self.objective,
            "source": self.source,
            "target": self.target,
            "mpp": self.mpp,
            "reverse": self.reverse or None,
            "perceptual": self.perceptual,
            "init": self.init,
            "ema": self.average,
            "max_residual": self.max_residual,
            "weight_by_residual": self.weight_by_residual or None,
        }

    def _defaults(self) -> dict[str, Any]:
        return {**super()._defaults(), "objective": "pyramid-pix2pix"}

    def _train_fields(self) -> dict[str, Any]:
        return {**super()._train_fields(), "average": self.average}


def _describe_pairs(settings: TranslationTraining, data: str) -> dict[str, str]:
    """Return what the model card says of the pairs of a paired set; nothing of other data."""
    from stainbridge.datasets.paired_set import PairedSet, describe_pairs, has_scores

    if not has_scores(Path(data)):
        return {}
    patches = PairedSet.read(Path(data)).list_split("train")
    return describe_pairs(settings.tiles, patches)


def _read_manifest_mpp(data: str) -> float | None:
    """Return the pixel size of a table's first slide in µm; None for data that are no table."""
    if not is_manifest(data):
        return None
    from stainbridge.datasets.slide_pairs import read_slide_pairs

    mpp = read_slide_pairs(Path(data)).mpp
    if mpp is None:
        raise InputError(
            "the first slide has no pixel size",
            where=data,
            remedy="give it in the column fixed_mpp",
        )
    return mpp
