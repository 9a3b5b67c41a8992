"""Write a run's best weights in half precision, as they come with stainbridge.

python benchmarks/ship_weights.py affine-run src/stainbridge/weights/affine-net.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from stainbridge.learn.weights import read_weights, write_weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    stored = read_weights(options.run)
    halves = {
        name: t.to(torch.float16) if t.is_floating_point() else t
        for name, t in stored.tensors.items()
    }
    write_weights(options.out, halves, stored.header)
    step = stored.header.get("step")
    measure = stored.header.get("measure")
    print(f"{stored.task}, step {step}, validation measure {measure}")
    print(f"written: {options.out}, {options.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
