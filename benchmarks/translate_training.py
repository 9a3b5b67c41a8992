"""Steps per second of the training loop, against a plain eager float32 implementation of the same
model.

    python benchmarks/translate_training.py                      every objective, small networks, 128 px, batch 4
    python benchmarks/translate_training.py --preset paper --tile 256 --batch 1 --objectives cyclegan pix2pix
    python benchmarks/translate_training.py --apart              what each setting gives by itself
    python benchmarks/translate_training.py --preset paper --device cuda

Both take the same steps on the same tiles by turns in this process, on one thread. The plain one
has torch's own instance normalisation and Adam, float32 and torch's usual layout. Seconds are the
process's CPU seconds, so that other programs do not count, or with `--device cuda` those until the
GPU is done; the least of several rounds is told.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim import Optimizer

from stainbridge.learn.config import DeviceChoice, TrainConfig
from stainbridge.learn.data import move_batch
from stainbridge.learn.devices import launch_fabric
from stainbridge.learn.stepper import Stepper
from stainbridge.nn.normalisation import InstanceNorm
from stainbridge.translation.objectives.table import OBJECTIVES
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.task import TilePair, TranslationTask
from stainbridge.translation.objectives.table import make_task
from stainbridge.translation.training.config import TranslationTraining


@dataclass(frozen=True)
class Case:
    """An objective with its networks, on tiles of `tile_px`, `batch` a step."""

    objective: str
    preset: TrainingPreset
    tile_px: int
    batch: int
    device: DeviceChoice = "cpu"

    @property
    def translation(self) -> TranslationConfig:
        return replace(TranslationConfig.preset(self.objective, self.preset), tile_px=self.tile_px)

    @property
    def train(self) -> TrainConfig:
        """How the preset trains."""
        train = TranslationTraining.preset(self.objective, self.preset).train
        return replace(train, batch=self.batch, device=self.device)

    def tiles(self) -> TilePair:
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch, 3, self.tile_px, self.tile_px)
        return TilePair(*(2 * torch.rand(shape, generator=generator) - 1 for _ in range(2)))


def plain(case: Case) -> Callable[[], None]:
    """A step as a textbook would write it."""
    torch.manual_seed(0)
    task, device = make_task(case.translation), torch.device(case.device)
    tiles = move_batch(case.tiles(), device, torch.preserve_format)
    for network in task.networks.values():
        _with_torchs_own_normalisation(network)
        network.to(device)
    optimisers = {name: _plain_adam(optimiser) for name, optimiser in task.optimisers.items()}

    def step() -> None:
        for update in task.updates(tiles):
            optimiser = optimisers[update.optimiser]
            update.loss.backward(
                inputs=list(_parameters(optimiser))
            )  # a generator's loss leaves its judge alone
            optimiser.step()
            optimiser.zero_grad()

    return step


def ours(case: Case, train: TrainConfig) -> Callable[[], None]:
    """A step of the training loop."""
    torch.manual_seed(0)
    layout = torch.channels_last if train.channels_last else torch.preserve_format
    task: TranslationTask = make_task(case.translation)
    fabric = launch_fabric(train)
    for network in task.networks.values():
        network.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]  # torch does not declare it
    tiles = move_batch(case.tiles(), fabric.device, layout)
    stepper, numbers = Stepper(fabric, task), iter(range(10**9))
    return lambda: stepper.step([tiles], next(numbers)) and None


def clock(device: DeviceChoice) -> Callable[[], float]:
    """The process's CPU seconds, or the time at which the GPU has done what it was given."""
    if device == "cpu":
        return time.process_time

    def done() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return done


def timed(
    steps: dict[str, Callable[[], None]], rounds: int, now: Callable[[], float]
) -> dict[str, float]:
    """The least seconds of a step each, taken by turns."""
    for step in steps.values():
        step()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            began = now()
            step()
            taken[name].append(now() - began)
    return {name: min(seconds) for name, seconds in taken.items()}


def apart(case: Case) -> dict[str, Callable[[], None]]:
    """The loop with each setting by itself."""
    base = replace(case.train, precision="32", channels_last=False)
    return {
        "plain": plain(case),
        "loop": ours(case, base),
        "channels-last": ours(case, replace(base, channels_last=True)),
        "bf16": ours(case, replace(base, precision="bf16")),
        "both": ours(case, replace(base, precision="bf16", channels_last=True)),
    }


def _with_torchs_own_normalisation(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, nn.InstanceNorm2d(child.num_features))


def _plain_adam(optimiser: Optimizer) -> Optimizer:
    group = optimiser.param_groups[0]
    return torch.optim.Adam(_parameters(optimiser), group["lr"], group["betas"])


def _parameters(optimiser: Optimizer) -> Iterator[nn.Parameter]:
    return (parameter for group in optimiser.param_groups for parameter in group["params"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objectives", nargs="+", default=OBJECTIVES, choices=OBJECTIVES)
    parser.add_argument("--preset", default="small", choices=("small", "paper"))
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--apart", action="store_true", help="each setting by itself")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device can be used")
    torch.set_num_threads(1)
    for objective in arguments.objectives:
        case = Case(objective, arguments.preset, arguments.tile, arguments.batch, arguments.device)
        steps = (
            apart(case)
            if arguments.apart
            else {"plain": plain(case), "ours": ours(case, case.train)}
        )
        seconds = timed(steps, arguments.rounds, clock(arguments.device))
        told = "  ".join(
            f"{name} {1 / taken:6.2f}/s x{seconds['plain'] / taken:.2f}"
            for name, taken in seconds.items()
        )
        print(f"{objective:20} {told}", flush=True)


if __name__ == "__main__":
    main()
