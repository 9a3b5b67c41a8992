"""What makes a command begin and compute sooner, in a process of its own.

Importing makes some 600,000 objects, which all stay: looking for garbage among them is in vain. And
`import torch` spends a third of its time on what only its compiler needs.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from stainbridge.progress import Progress

#: A module that torch imports and does not use: shapes of results, for tensors without values.
DEFERRED = "torch._meta_registrations"
#: What works with such tensors.
COMPILER = "torch._dynamo"

#: Variables that libraries read when they are first imported; the user's own values stay. Threads
#: of OpenMP that spin while they wait make a busy machine ten times slower. In large pages torch
#: gets memory for large tensors without a fault every 4 KiB, which is a quarter of a convolution.
ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "THP_MEM_ALLOC_ENABLE": "1"}


class DeferredModule(ModuleType):
    """A module whose code runs when something that it defines is first asked for."""

    def __getattr__(self, name: str) -> Any:
        """Run the module's code; looking for what every module may have does not."""
        if name.startswith("__"):
            raise AttributeError(name)
        self.read()
        return getattr(self, name)

    def read(self) -> None:
        """Run the module's code."""
        spec = self.__spec__
        assert spec is not None
        assert isinstance(spec.loader, DeferringLoader)
        spec.loader = self.__loader__ = spec.loader.loader
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)


class DeferringLoader(Loader):
    """Makes a module without running its code."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the code for later."""


class DeferringFinder(MetaPathFinder):
    """Finds `DEFERRED` so that its code runs later: at the latest when `COMPILER` is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec with a deferring loader; None for every other module."""
        module = sys.modules.get(DEFERRED)
        if name == COMPILER and isinstance(module, DeferredModule):
            module.read()
        if name != DEFERRED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = DeferringLoader(spec.loader)
        return spec


def prepare_environment() -> None:
    """Set the variables of `ENVIRONMENT` that are not set; call it before libraries load."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def start_quickly(*, defer: bool = True) -> None:
    """Collect no garbage until `settle`, and `defer` what torch need not import.

    Without what is deferred torch makes no `Generator`.
    """
    gc.disable()
    if defer:
        sys.meta_path.insert(0, DeferringFinder())


def settle() -> None:
    """Collect garbage again, apart from what is there by now; nothing where that never stopped."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def settle_at_progress(progress: Progress) -> Progress:
    """Return a callback that settles before it reports: by then the libraries are loaded."""

    def report(stage: str, fraction: float) -> None:
        settle()
        progress(stage, fraction)

    return report
