"""How far a section may be bent and still be followed: generated pairs, exact truth, with and
without matching.

    python benchmarks/bends.py                          # 60 pairs, a quarter of an hour on one core
    python benchmarks/bends.py --preset fast --pairs 6 --hard 0

Bends are the root mean square of the elastic displacement in shares of the slide's diagonal;
nothing is torn, folded or lost, and pairs are neither turned nor mirrored, so that the deformable
stage alone is asked. The last row is of pairs of difficulty `hard`, with all that belongs to it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides

SIZE, MPP, SEED = 1024, 4.0, 79_000
STAINS = ("Ki67", "PAS", "CD31", "ER", "Masson", "HER2")
BENDS = (0.02, 0.04, 0.06, 0.08)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=("fast", "default", "accurate"), default="default")
    parser.add_argument("--pairs", type=int, default=9, help="for each bend")
    parser.add_argument("--hard", type=int, default=24, help="pairs of difficulty `hard`")
    asked = parser.parse_args()
    config = RegisterConfig.preset(asked.preset)
    if config.deformable is None:
        raise SystemExit("nothing is bent without a deformable stage")
    near = replace(config, deformable=replace(config.deformable, matching=None))
    print(
        f"| bend, % of the diagonal | `{asked.preset}`: median rTRE, success, ok | without matching |"
    )
    print("| --- | --- | --- |")
    drawn = {f"{bend:.0%}": [bent(bend, index) for index in range(asked.pairs)] for bend in BENDS}
    drawn |= {"`hard`": [hard(index) for index in range(asked.hard)]} if asked.hard else {}
    for name, pairs in drawn.items():
        columns = [[registered(pair, one) for pair in pairs] for one in (config, near)]
        print(f"| {name} | {' | '.join(cell(column) for column in columns)} |", flush=True)


def bent(bend: float, index: int) -> PhantomPair:
    """A pair whose elastic displacement is `bend` of the diagonal, in the root mean square."""
    return generate_pair(
        seed=SEED + index,
        size_px=SIZE,
        mpp=MPP,
        organ="any",
        moving_stain=STAINS[index % len(STAINS)],
        rotation_deg=0.0,
        flip=False,
        scale=1.0,
        elastic_um=bend * SIZE * MPP * np.sqrt(2),
        tear=False,
        damage=False,
        artefacts=False,
        faint=False,
    )


def hard(index: int) -> PhantomPair:
    """A pair of difficulty `hard` as it comes."""
    stain = STAINS[index % len(STAINS)]
    return generate_pair(
        seed=SEED + index, size_px=SIZE, mpp=MPP, organ="any", moving_stain=stain, difficulty="hard"
    )


def registered(pair: PhantomPair, config: RegisterConfig) -> tuple[float, bool]:
    """Median rTRE, 1 without a result, and whether it is called `ok`."""
    found = register_slides(pair.fixed, pair.moving, config)
    if found.solution is None:
        return 1.0, False
    error = pair.moving_landmarks.points_px - found.warp_points(
        pair.fixed_landmarks.points_px, to="moving"
    )
    return float(
        np.median(np.linalg.norm(error, axis=1)) / np.hypot(SIZE, SIZE)
    ), found.status == "ok"


def cell(column: list[tuple[float, bool]]) -> str:
    errors = np.array([error for error, _ in column])
    return f"{np.median(errors):.4f}, {(errors < 0.01).mean():.0%}, {sum(ok for _, ok in column)}"


if __name__ == "__main__":
    main()
