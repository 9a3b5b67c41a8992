"""The model card of a run: what was trained on what, how, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stainbridge.nn.generators import build_generator
from stainbridge.nn.perceptual import SEEDED
from stainbridge.translation.training.config import TranslationTraining

#: The card's name in a RUN folder.
CARD_FILE = "model-card.md"
#: Before the names of held-out measures in metrics.csv.
VALIDATION_PREFIX = "validation_"
#: Before the names of measures of tiles that were translated there and back, or were registered
#: with the real target, and these in words.
PREFIXES = {"cycle_": " (there and back)", "corrected_": " (registered)"}
#: Each measure in words.
MEASURES = {
    "l1": "mean absolute difference, of 2",
    "coarse_l1": "mean absolute difference of means of 8 x 8 pixels, of 2",
    "psnr_db": "PSNR, dB",
    "ssim_gaussian11": "SSIM, 11 x 11 Gaussian window",
    "roughness": "mean square of the gradient of the registration's field",
}
#: Nothing to say of pairs: the data are no paired set.
NO_PAIRS: Mapping[str, str] = {}
UNTRAINED_PERCEPTUAL = (
    "**No ImageNet weights were given**: the perceptual loss compares features of a seeded network "
    "that was never trained. Results are not those of the published objective."
)
LIMITS = (
    "A translated picture shows what is likely, not what is there: it is no stain and no ground "
    "for a diagnosis. Expect it to fail on tissue, laboratories and scanners that it was not "
    "trained on."
)


def render_model_card(
    settings: TranslationTraining,
    data: str,
    rows: Sequence[Mapping[str, str]],
    version: str,
    pairs: Mapping[str, str] = NO_PAIRS,
) -> str:
    """Return the card in Markdown; `rows` are those of metrics.csv, of which the best is shown.

    `pairs` says of a paired set how well its pairs are aligned, and how that was used.
    """
    translation = settings.translation
    facts = _facts(settings, data, version, pairs)
    lines = [f"# {translation.source} to {translation.target}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    if translation.objective.perceptual_network == SEEDED:
        lines += ["", UNTRAINED_PERCEPTUAL]
    lines += ["", "## Held-out tiles", "", *_measure_lines(rows, settings), "", LIMITS]
    return "\n".join(lines) + "\n"


def _facts(
    settings: TranslationTraining, data: str, version: str, pairs: Mapping[str, str]
) -> dict[str, str]:
    translation = settings.translation
    train = settings.train
    generator = translation.generator
    parameters = sum(p.numel() for p in build_generator(generator).parameters())
    size = f"{generator.kind}, {parameters / 1e6:.2f} million parameters, {translation.norm} norm"
    return {
        "objective": translation.name or "of its own",
        "generator": size,
        "pixel size": "unknown" if translation.mpp is None else f"{translation.mpp:g} µm",
        "tiles": f"{translation.tile_px} px, {train.batch} a batch",
        "trained on": data,
        **pairs,
        "precision": train.precision,
        "average of weights": f"{train.average:g}" if train.average else "none",
        "perceptual network": translation.objective.perceptual_network or "none",
        "seed": str(train.seed),
        "stainbridge": version,
    }


def _measure_lines(rows: Sequence[Mapping[str, str]], settings: TranslationTraining) -> list[str]:
    column = VALIDATION_PREFIX + settings.translation.objective.selection_measure
    measured = [row for row in rows if row.get(column)]
    if not measured:
        return ["Nothing has been measured yet."]
    best = min(measured, key=lambda row: float(row[column]))
    lines = [
        f"Means over {settings.train.validation_samples} tiles, after {best['step']} steps, when "
        f"{column} was least (`best.safetensors`).",
        "",
        "| measure | |",
        "| --- | --- |",
    ]
    values = {name: value for name, value in best.items() if name.startswith(VALIDATION_PREFIX)}
    return lines + [f"| {_describe(name)} | {value} |" for name, value in values.items() if value]


def _describe(column: str) -> str:
    name = column.removeprefix(VALIDATION_PREFIX)
    for prefix, words in PREFIXES.items():
        if name.startswith(prefix):
            return MEASURES.get(name.removeprefix(prefix), name) + words
    return MEASURES.get(name, name)
