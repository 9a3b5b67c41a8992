"""Measure how large a deformation is recovered, with and without matching, on generated pairs.

    python benchmarks/bends.py                          # 60 pairs, a quarter of an hour on one core
    python benchmarks/bends.py --preset fast --pairs 6 --hard 0

A deformation is given by the root mean square of the elastic displacement, as a share of the
slide's diagonal. Nothing is torn, folded or lost, and pairs are neither rotated nor mirrored, so
that only the deformable stage is measured. The last row has pairs of difficulty `hard`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from stainbridge.evaluate.row import SUCCESS_RTRE
from stainbridge.metrics.landmarks import score_landmarks
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import DeformableConfig, RegisterConfig
from stainbridge.registration.pipeline import register_slides

#: Side of the slides in pixels.
SIZE_PX = 1024
#: Their pixel size in µm.
MPP = 4.0
#: Seed of the first pair; no fit and no training uses it.
SEED = 79_000
#: Moving stains, in turn.
STAINS = ("Ki67", "PAS", "CD31", "ER", "Masson", "HER2")
#: Root mean square displacements as shares of the diagonal.
DEFORMATIONS = (0.02, 0.04, 0.06, 0.08)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=("fast", "default", "accurate"), default="default")
    parser.add_argument("--pairs", type=int, default=9, help="for each deformation")
    parser.add_argument("--hard", type=int, default=24, help="pairs of difficulty `hard`")
    options = parser.parse_args()
    config = RegisterConfig.preset(options.preset)
    deformable = config.find_stage(DeformableConfig)
    if deformable is None:
        raise SystemExit("the preset has no deformable stage")
    without_matching = config.with_stage(replace(deformable, matching=None))
    print(
        f"| deformation, % of the diagonal | `{options.preset}`: median rTRE, success, ok "
        "| without matching |"
    )
    print("| --- | --- | --- |")
    rows = {
        f"{share:.0%}": [draw_deformed_pair(share, index) for index in range(options.pairs)]
        for share in DEFORMATIONS
    }
    if options.hard:
        rows["`hard`"] = [draw_hard_pair(index) for index in range(options.hard)]
    for name, pairs in rows.items():
        columns = [
            [register_pair(pair, variant) for pair in pairs]
            for variant in (config, without_matching)
        ]
        print(f"| {name} | {' | '.join(format_cell(column) for column in columns)} |", flush=True)


def draw_deformed_pair(share: float, index: int) -> PhantomPair:
    """Generate a pair whose root mean square displacement is a share of the diagonal."""
    return generate_pair(
        seed=SEED + index,
        size_px=SIZE_PX,
        mpp=MPP,
        organ="any",
        moving_stain=STAINS[index % len(STAINS)],
        rotation_deg=0.0,
        flip=False,
        scale=1.0,
        elastic_um=share * SIZE_PX * MPP * np.sqrt(2),
        tear=False,
        damage=False,
        artefacts=False,
        faint=False,
    )


def draw_hard_pair(index: int) -> PhantomPair:
    """Generate a pair of difficulty `hard`."""
    return generate_pair(
        seed=SEED + index,
        size_px=SIZE_PX,
        mpp=MPP,
        organ="any",
        moving_stain=STAINS[index % len(STAINS)],
        difficulty="hard",
    )


def register_pair(pair: PhantomPair, config: RegisterConfig) -> tuple[float, bool]:
    """Return the median rTRE, 1 without a result, and whether the status is `ok`."""
    registration = register_slides(pair.fixed, pair.moving, config)
    if registration.solution is None:
        return 1.0, False
    scores = score_landmarks(registration.transform, pair.fixed_landmarks, pair.moving_landmarks)
    return scores.after.rtre.median, registration.status == "ok"


def format_cell(column: list[tuple[float, bool]]) -> str:
    errors = np.array([error for error, _ in column])
    ok = sum(is_ok for _, is_ok in column)
    return f"{np.median(errors):.4f}, {(errors < SUCCESS_RTRE).mean():.0%}, {ok}"


if __name__ == "__main__":
    main()
