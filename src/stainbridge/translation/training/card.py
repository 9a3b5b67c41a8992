"""The model card of a run: what was trained on what, how, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stainbridge.nn.generators import generator
from stainbridge.nn.perceptual import SEEDED, VGG16
from stainbridge.translation.objectives.config import CycleConfig, TranslationConfig
from stainbridge.translation.training.training import TranslationTraining

CARD = "model-card.md"
#: What each name of a measure is, by its ending.
MEASURES = {
    "l1": "mean absolute difference, of 2",
    "coarse_l1": "mean absolute difference of means of 8 x 8 pixels, of 2",
    "psnr_db": "PSNR, dB",
    "ssim_gaussian11": "SSIM, 11 x 11 Gaussian window",
}
FALLBACK = (
    "**No ImageNet weights were given**: the perceptual loss compares features of a seeded network that was never "
    "trained. Results are not those of the published objective."
)


def perceptual_name(config: TranslationConfig) -> str | None:
    """Which network the perceptual loss compares features of; None for an objective without one."""
    if not isinstance(config.objective, CycleConfig) or not config.objective.feature:
        return None
    return VGG16 if config.objective.perceptual.weights else SEEDED


def model_card(
    settings: TranslationTraining, data: str, rows: Sequence[Mapping[str, str]], version: str
) -> str:
    """Markdown; `rows` are those of metrics.csv, the best of which is told."""
    translation, train = settings.translation, settings.train
    parameters = sum(p.numel() for p in generator(translation.generator).parameters())
    size = "unknown" if translation.mpp is None else f"{translation.mpp:g} µm"
    perceptual = perceptual_name(translation)
    kind = translation.generator.kind
    facts = {
        "objective": translation.name or "of its own",
        "generator": f"{kind}, {parameters / 1e6:.2f} million parameters, {translation.norm} norm",
        "pixel size": size,
        "tiles": f"{translation.tile_px} px, {train.batch} a batch",
        "trained on": data,
        "precision": train.precision,
        "average of weights": f"{train.average:g}" if train.average else "none",
        "perceptual network": perceptual or "none",
        "seed": str(train.seed),
        "stainbridge": version,
    }
    lines = [f"# {translation.source} to {translation.target}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += ["", FALLBACK] if perceptual == SEEDED else []
    lines += ["", "## Held-out tiles", "", *_measured(rows, settings), ""]
    lines += [
        "A made picture shows what is likely, not what is there: it is no stain and no ground for a diagnosis. Expect "
        "it to fail on tissue, laboratories and scanners that it was not trained on."
    ]
    return "\n".join(lines) + "\n"


def _measured(rows: Sequence[Mapping[str, str]], settings: TranslationTraining) -> list[str]:
    cycles = isinstance(settings.translation.objective, CycleConfig)
    by = "held_cycle_l1" if cycles else "held_coarse_l1"
    measured = [row for row in rows if row.get(by)]
    if not measured:
        return ["Nothing has been measured yet."]
    best = min(measured, key=lambda row: float(row[by]))
    count = settings.train.held
    lines = [
        f"Means over {count} tiles, after {best['step']} steps, when {by} was least (`best.safetensors`).",
        "",
    ]
    lines += ["| measure | |", "| --- | --- |"]
    return lines + [
        f"| {_named(name)} | {value} |"
        for name, value in best.items()
        if name.startswith("held_") and value
    ]


def _named(column: str) -> str:
    name = column.removeprefix("held_")
    there_and_back = " (there and back)" if name.startswith("cycle_") else ""
    return MEASURES.get(name.removeprefix("cycle_"), name) + there_and_back
