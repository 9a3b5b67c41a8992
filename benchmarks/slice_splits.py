"""Split the slices of a data set by blocks of the stack, with a gap between blocks.

python benchmarks/slice_splits.py DATA/allen_slices configs/splits/allen_slices.csv
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.slice_split import CYCLES, GAP, split_blocks, write_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a data set whose names sort by the stack")
    parser.add_argument("out", type=Path, help="the split file")
    parser.add_argument("--cycles", type=int, default=CYCLES, help="blocks of each part")
    parser.add_argument("--gap", type=int, default=GAP, help="slices left out between blocks")
    arguments = parser.parse_args()
    names = [case.id for case in read_data_set(arguments.data).cases]
    parts = split_blocks(names, arguments.cycles, arguments.gap)
    write_split(arguments.out, parts)
    counts = Counter(parts.values())
    print(*(f"{count} {part}" for part, count in counts.items()), sep=", ")


if __name__ == "__main__":
    main()
