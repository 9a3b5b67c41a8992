"""`stainbridge evaluate translation`: models against the real stain of held-out tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stainbridge.cli.output import print_json, progress_bar
from stainbridge.errors import InputError, MissingFileError

if TYPE_CHECKING:
    from torch import device

    from stainbridge.evaluate.translation import (
        Comparison,
        MeanScores,
        TilePixels,
        ScoredPicture,
        TranslateFunction,
        TranslationMethod,
    )
    from stainbridge.nn.generators import Generator
    from stainbridge.slides.case import Case
    from stainbridge.translation.inference.model import Model

#: Rows of the picture grid, and the row of what doing nothing scores.
SHOWN, UNTRANSLATED = 6, "untranslated"
COLUMNS = {
    "psnr_db": "PSNR dB",
    "ssim_uniform7": "SSIM 7x7",
    "ssim_gaussian11": "SSIM 11x11",
    "rmse": "RMSE",
    "dab_dice": "DAB Dice",
}


def translation(
    models: Annotated[
        list[Path],
        typer.Option("--models", help="A run of train translate, or several.", metavar="RUN..."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Paired tiles: HE and IHC, trainA and trainB, or A and B.", metavar="DIR"
        ),
    ],
    more_models: Annotated[
        list[Path] | None, typer.Argument(help="More models.", metavar="[RUN...]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the tables and a grid of pictures.", metavar="OUT"),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the data.")] = "test",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Translate the second stain to the first.")
    ] = False,
    most: Annotated[
        int | None, typer.Option("--most", help="Use so many pictures, evenly chosen.", min=1)
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option("--features", help="A feature network, for FID and KID.", metavar="NET.pt"),
    ] = None,
    place: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where to compute.")
    ] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare what models make of tiles with the real ones: PSNR, SSIM, RMSE, DAB area, FID and
    KID.

    Pictures are translated whole, and scores change with their size, which is printed. Where names
    end in a HER2 level, as BCI's do, there is a line for each. Models that translate both ways also
    get a table of there and back.

    \b
    Example:
        stainbridge evaluate translation --data BCI --models pyramid-run cyclegan-run --out scores
        stainbridge evaluate translation --data BCI --models pyramid-run \\
            --features inception-2015-12-05.pt --json
    """
    from stainbridge.evaluate.translation import compare_translations, means
    from stainbridge.evaluate.translation_sets import FeatureSets
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.metrics.distributions import load_feature_net
    from stainbridge.translation.inference.model import read_model

    found = [read_model(find_weights(str(path))) for path in (*models, *(more_models or ()))]
    found = [model.reversed() for model in found] if reverse else found
    cases = _chosen(data, split, most)
    sets = None if features is None else FeatureSets(load_feature_net(features))
    shown: list[Comparison] = []
    rows: list[ScoredPicture] = []
    grid = {round(i * (len(cases) - 1) / max(1, SHOWN - 1)) for i in range(SHOWN)}
    with progress_bar() as progress:
        for number, item in enumerate(
            compare_translations(_pairs(cases, found[0], reverse), _translators(found, place))
        ):
            rows += item.rows
            shown += [item] if number in grid else []
            if sets is not None:
                sets.add(item)
            progress("translating", (number + 1) / len(cases))
    distances = (
        {} if sets is None else {name: asdict(scores) for name, scores in sets.scores().items()}
    )
    lines = means(rows)
    stains = (found[0].source or "source", found[0].target or "target")
    if out is not None:
        _write(out, shown, rows, lines, distances, stains)
    size = ", ".join(sorted({f"{row.width} x {row.height} px" for row in rows}))
    if json:
        facts = {"data": str(data), "split": split, "pictures": len(cases), "size": size}
        print_json({**facts, "means": [asdict(line) for line in lines], "distributions": distances})
    else:
        print(f"{split}: {len(cases)} pictures, {size}\n\n{tables(lines, distances, stains)}")


def _chosen(data: Path, split: str, most: int | None) -> list[Case]:
    """The cases of a split, or `most` of them evenly chosen."""
    from stainbridge.datasets.tiles import find, read

    if not data.is_dir() or find(data) is None:
        kind = InputError if data.exists() else MissingFileError
        raise kind(
            "no paired tiles there",
            where=data,
            expected="HE/test and IHC/test, testA and testB, or A and B",
        )
    cases = read(data)
    splits = sorted({case.id.partition("/")[0] for case in cases if "/" in case.id})
    chosen = [case for case in cases if case.id.startswith(f"{split}/")] if splits else cases
    if not chosen:
        raise InputError(
            "no tiles of that split", where=data, expected=", ".join(splits), got=split
        )
    count = min(most or len(chosen), len(chosen))
    return [chosen[i * len(chosen) // count] for i in range(count)]


def _pairs(cases: Sequence[Case], model: Model, reverse: bool) -> Iterator[TilePixels]:
    """The pictures of each case, with the channels of the model."""
    from stainbridge.evaluate.translation import TilePixels
    from stainbridge.translation.training.augment import with_channels

    for case in cases:
        with case.open_fixed() as first, case.open_moving() as second:
            pixels = [slide.read(slide.frame).pixels for slide in (first, second)]
        source, target = pixels[::-1] if reverse else pixels
        yield TilePixels(
            case.id,
            with_channels(source, model.source_channels, case.id),
            with_channels(target, model.target_channels, case.id),
        )


def _translators(models: Sequence[Model], name: Literal["auto", "cpu", "cuda"]) -> list[TranslationMethod]:
    """One for doing nothing, where that makes sense, and one a model, by the shortest names that
    tell them apart.
    """
    from stainbridge.evaluate.translation import TranslationMethod
    from stainbridge.translation.inference.inference import device_named

    first = models[0]
    for model in models[1:]:
        channels = (model.source_channels, model.target_channels)
        if channels != (first.source_channels, first.target_channels):
            expected = (first.source_channels, first.target_channels)
            raise InputError(
                "models of other channels", where=model.path, expected=expected, got=channels
            )
    place = device_named(name)
    names = _names([model.path for model in models])
    alike = first.source_channels == first.target_channels
    found = [TranslationMethod(UNTRANSLATED, lambda pixels: pixels)] if alike else []
    return found + [
        _translator(name, model, place) for name, model in zip(names, models, strict=True)
    ]


def _translator(name: str, model: Model, place: device) -> TranslationMethod:
    """A model's ways there and, where it has one, back."""
    from stainbridge.evaluate.translation import TranslationMethod
    from stainbridge.translation.inference.inference import Inference, whole

    def way(network: Generator, channels: int) -> TranslateFunction:
        return partial(whole, Inference(network.to(place), channels, place), model.period)

    back = None if model.reverse_generator is None else way(model.reverse_generator, model.target_channels)
    return TranslationMethod(name, way(model.generator, model.source_channels), back)


def _names(paths: Sequence[Path]) -> list[str]:
    """Run folders by their own names, or whole paths where those are not different."""
    runs = [
        path.parent if path.name in ("best.safetensors", "last.safetensors") else path
        for path in paths
    ]
    short = [run.stem if run.suffix == ".safetensors" else run.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run) for run in runs]


def _write(
    out: Path,
    shown: Sequence[Comparison],
    rows: Sequence[ScoredPicture],
    lines: Sequence[MeanScores],
    distances: Mapping[str, Mapping[str, float]],
    stains: tuple[str, str],
) -> None:
    from stainbridge.evaluate.translation_files import (
        GRID,
        MEANS_CSV,
        PICTURES_CSV,
        write_grid,
        write_rows,
    )

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=out) from error
    write_rows(out / PICTURES_CSV, rows, {})
    write_rows(out / MEANS_CSV, lines, distances)
    write_grid(out / GRID, shown, *stains)


def tables(
    lines: Sequence[MeanScores],
    distances: Mapping[str, Mapping[str, float]],
    stains: tuple[str, str],
) -> str:
    """The mean_scores as lines for people: the translation, then each stain there and back."""
    source, target = stains
    titles = {
        "forward": f"{source} to {target}",
        "source": f"{source} to {target} and back to {source}",
        "target": f"{target} to {source} and back to {target}",
    }
    parts = []
    for way, title in titles.items():
        own = [line for line in lines if line.direction == way]
        if own:
            parts.append("\n".join([title, *_table(own, distances if way == "forward" else {})]))
    return "\n\n".join(parts)


def _table(lines: Sequence[MeanScores], distances: Mapping[str, Mapping[str, float]]) -> list[str]:
    width = max(16, *(len(line.model) + 2 for line in lines))
    heads = [*COLUMNS.values(), *(["FID", "KID"] if distances else [])]
    text = [f"{'model':<{width}}{'level':<7}{'n':>6}" + "".join(f"{head:>12}" for head in heads)]
    for line in lines:
        numbers = [getattr(line.scores, key) for key in COLUMNS]
        if distances:
            own = distances.get(line.model, {}) if line.level == "all" else {}
            numbers += [own.get(key, float("nan")) for key in ("fid", "kid")]
        cells = "".join(f"{'-' if number != number else f'{number:.4f}':>12}" for number in numbers)
        text.append(f"{line.model:<{width}}{line.level:<7}{line.pictures:>6}{cells}")
    return text
