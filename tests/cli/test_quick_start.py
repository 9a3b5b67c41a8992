"""A command looks for no garbage while libraries load, and leaves unread what they do not need."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from stainbridge.cli import quick_start
from stainbridge.cli.quick_start import DeferredModule, settle, settle_at_progress, start_quickly

REGISTER_WITH_TORCH = """
import sys
from stainbridge.cli import quick_start

quick_start.start_quickly()
import torch

module = sys.modules[quick_start.DEFERRED]
assert isinstance(module, quick_start.DeferredModule)
x = torch.ones(3, requires_grad=True)
torch.nn.functional.grid_sample(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 1, 2))
(x * x).sum().backward()
assert x.grad.tolist() == [2, 2, 2]
assert isinstance(module, quick_start.DeferredModule)
assert callable(module.activate_meta)
assert not isinstance(module, quick_start.DeferredModule)
"""


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the process as it was."""
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    yield
    settle()
    gc.unfreeze()


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeferredModule:
    """A deferred module, imported, beside one that cannot do without it."""
    (tmp_path / "late_module.py").write_text("VALUE = 3\n")
    (tmp_path / "its_compiler.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(quick_start, "DEFERRED", "late_module")
    monkeypatch.setattr(quick_start, "COMPILER", "its_compiler")
    for name in ("late_module", "its_compiler"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    start_quickly()
    module = import_module("late_module")
    assert isinstance(module, DeferredModule)
    return module


def test_code_runs_when_something_of_it_is_asked_for(late: DeferredModule) -> None:
    assert not hasattr(late, "__wrapped__")
    assert "VALUE" not in vars(late)
    assert late.VALUE == 3
    assert not isinstance(late, DeferredModule)
    with pytest.raises(AttributeError):
        _ = late.OTHER


def test_code_runs_before_what_cannot_do_without_it(late: DeferredModule) -> None:
    import_module("its_compiler")
    assert vars(late)["VALUE"] == 3


def test_garbage_is_collected_again_at_the_first_progress() -> None:
    reports: list[tuple[str, float]] = []
    start_quickly()
    assert not gc.isenabled()
    settle_at_progress(lambda stage, fraction: reports.append((stage, fraction)))("search", 0.5)
    assert gc.isenabled()
    assert reports == [("search", 0.5)]


def test_nothing_is_frozen_where_collection_never_stopped() -> None:
    settle()
    assert gc.get_freeze_count() == 0


def test_torch_works_without_what_its_compiler_needs() -> None:
    subprocess.run([sys.executable, "-c", REGISTER_WITH_TORCH], check=True)


@pytest.mark.parametrize("verb", ["train", "export", "evaluate", "benchmark", "view"])
def test_verbs_that_may_draw_random_tensors_have_all_of_torch(verb: str) -> None:
    """Networks that start at random need a generator of their own."""
    lines = [
        "import sys",
        "from stainbridge.cli import main",
        f"sys.argv = ['stainbridge', {verb!r}]",
        "main.run = lambda *_: __import__('torch').Generator().manual_seed(0).initial_seed()",
        "main.main()",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    ended = subprocess.run(command, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr.decode()) == (0, "")
