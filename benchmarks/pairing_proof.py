"""Does a better aligned training set make a better translation?

    python benchmarks/pairing_proof.py --work FOLDER --lpips WEIGHTS      # all of it; resumes
    python benchmarks/pairing_proof.py --page docs/results/pairing-proof.md

Generated slides of H&E and PanCK, torn, folded and bent, are aligned in two ways and cut into pairs
at the same places: by an affine transform alone, and by the whole pipeline with tiles. The same
small pyramid pix2pix learns from the affine pairs, from the built pairs, and from the built pairs
that `--max-residual` leaves. All are tested on tiles of other generated tissue that are aligned by
the exact truth. Rows go to docs/results/pairing-proof/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pairing_proof_sets import build_set, write_slides, write_test_tiles
from stainbridge.jobs.evaluate_translation import EvaluateTranslationJob
from stainbridge.whole import whole_file

ROOT = Path(__file__).parents[1]
#: Where the rows are kept.
RESULTS = ROOT / "docs" / "results" / "pairing-proof"
RUN_ROWS = "runs.jsonl"
SET_ROWS = "sets.jsonl"
#: What the tables of the page stand between.
BEGIN = "<!-- tables -->"
END = "<!-- end of tables -->"
#: What the runs learn from: the set, and the options of `train translate`.
TRAINING_SETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "affine": ("affine", ()),
    "built": ("built", ()),
    "filtered": ("built", ("--max-residual", "1")),
}
#: Seeds of the runs.
SEEDS = (0, 1, 2)
STEPS = 600
#: Test tiles that are compared, evenly chosen.
TEST_TILES = 100
#: Settings of every run; the last weights are measured, so that no validation chooses.
SETTINGS = {
    "translation": {"tile_px": 64},
    "train": {
        "average": 0.99,
        "precision": "32",
        "validation_samples": 4,
        "validate_every": STEPS,
        "picture_every": STEPS,
        "save_every": 100,
        "workers": 0,
    },
}
#: The measures of the table, with the digits that are shown.
MEASURES = {"psnr_db": 2, "ssim_gaussian11": 3, "lpips_alex": 3, "lpips_vgg": 3, "dab_dice": 3}
HEADS = ("PSNR dB", "SSIM 11 x 11", "LPIPS alex", "LPIPS vgg", "DAB Dice")


def train(work: Path, name: str, seed: int) -> Path:
    """Train, or resume, the run of a training set and seed; return its folder."""
    from stainbridge.learn.weights import read_weights

    run = work / "runs" / f"{name}-{seed}"
    last = run / "last.safetensors"
    command = [sys.executable, "-m", "stainbridge", "train", "translate", "--out", str(run)]
    command += ["--steps", str(STEPS)]
    if last.exists():
        if read_weights(last).header["checkpoint"]["step"] >= STEPS:
            return run
        command.append("--resume")
    else:
        data, options = TRAINING_SETS[name]
        settings = work / "settings.yaml"
        settings.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
        command += ["--objective", "pyramid-pix2pix", "--data", str(work / "sets" / data)]
        command += ["--target", "PanCK", "--mpp", "1", "--seed", str(seed)]
        command += ["--config", str(settings), *options]
    subprocess.run(command, check=True)
    return run


def measure(work: Path, run: Path, lpips: Path | None) -> dict[str, float]:
    """Return the mean scores of a run's last weights on the tiles that the truth aligned."""
    job = EvaluateTranslationJob(
        models=(run / "last.safetensors",),
        data=work / "test",
        most=TEST_TILES,
        lpips=lpips,
        device="cpu",
    )
    outcome = job.run()
    scores = next(
        line.scores
        for line in outcome.means
        if line.direction == "forward" and line.level == "all" and line.model != "untranslated"
    )
    return {name: getattr(scores, name) for name in MEASURES}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def keep_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a file of JSON lines, which stays whole."""
    rows = [*read_rows(path), row]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        text = "".join(json.dumps(each) + "\n" for each in rows)
        temporary.write_text(text, encoding="utf-8")


def run_all(work: Path, results: Path, lpips: Path | None) -> None:
    """Make slides and sets, train all runs, and keep a row of each; what is done stays."""
    write_slides(work)
    write_test_tiles(work)
    known_sets = {row["set"] for row in read_rows(results / SET_ROWS)}
    for name in ("affine", "built"):
        row = build_set(work, name)
        if name not in known_sets:
            keep_row(results / SET_ROWS, row)
    for seed in SEEDS:
        for name in TRAINING_SETS:
            keys = {(row["set"], row["seed"]) for row in read_rows(results / RUN_ROWS)}
            if (name, seed) in keys:
                continue
            scores = measure(work, train(work, name, seed), lpips)
            keep_row(results / RUN_ROWS, {"set": name, "seed": seed, "steps": STEPS, **scores})


def render_runs(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the means over the seeds, with the seeds' spread, and of each seed."""
    head = f"| trained on | seeds | {' | '.join(HEADS)} |"
    lines = [head, "| --- | ---: " + "| ---: " * len(HEADS) + "|"]
    for name in TRAINING_SETS:
        own = [row for row in rows if row["set"] == name]
        if own:
            cells = [_mean_and_spread(own, key) for key in MEASURES]
            lines.append(f"| {name} | {len(own)} | {' | '.join(cells)} |")
    lines += ["", "Each run:", "", head.replace("seeds", "seed"), lines[1]]
    for row in sorted(rows, key=lambda row: (row["seed"], list(TRAINING_SETS).index(row["set"]))):
        cells = [f"{row[key]:.{digits}f}" for key, digits in MEASURES.items()]
        lines.append(f"| {row['set']} | {row['seed']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean_and_spread(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [row[key] for row in rows]
    digits = MEASURES[key]
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def render_sets(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the sets: pairs, and how far they are misaligned."""
    lines = [
        "| set | pairs | true residual, median | 90 % within | estimated, median | 90 % within |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    columns = ("true_median_px", "true_p90_px", "estimated_median_px", "estimated_p90_px")
    for row in rows:
        cells = " | ".join(f"{row[column]:.2f} px" for column in columns)
        lines.append(f"| {row['set']} | {row['pairs']} | {cells} |")
    return "\n".join(lines)


def write_page(page: Path, results: Path) -> None:
    """Put the tables of the kept rows into the page."""
    sets = render_sets(read_rows(results / SET_ROWS))
    runs = render_runs(read_rows(results / RUN_ROWS))
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    with whole_file(page) as temporary:
        text = f"{before}{BEGIN}\n\n{sets}\n\n{runs}\n\n{END}{after}"
        temporary.write_text(text, encoding="utf-8")


def main() -> None:
    """Train and measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="where slides, sets and runs are kept")
    parser.add_argument("--lpips", type=Path, help="folder of LPIPS weights")
    parser.add_argument("--rows", type=Path, default=RESULTS, help="where the rows are kept")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    options = parser.parse_args()
    if options.work:
        run_all(options.work, options.rows, options.lpips)
    if options.page:
        write_page(options.page, options.rows)


if __name__ == "__main__":
    main()
