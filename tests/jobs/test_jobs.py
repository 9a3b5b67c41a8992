"""Every job is a frozen, documented, picklable request."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import stainbridge.jobs
from stainbridge.jobs.benchmark import BenchmarkJob
from stainbridge.jobs.benchmark_synthesis import BenchmarkSynthesisJob
from stainbridge.jobs.demo import DemoJob
from stainbridge.jobs.evaluate_images import EvaluateImagesJob
from stainbridge.jobs.evaluate_landmarks import EvaluateLandmarksJob
from stainbridge.jobs.evaluate_masks import EvaluateMasksJob
from stainbridge.jobs.evaluate_slices import EvaluateSlicesJob
from stainbridge.jobs.evaluate_translation import EvaluateTranslationJob
from stainbridge.jobs.export_affine import ExportAffineJob
from stainbridge.jobs.export_onnx import ExportOnnxJob
from stainbridge.jobs.info import InfoJob
from stainbridge.jobs.join_benchmarks import JoinBenchmarksJob
from stainbridge.jobs.pair_set import PairSetJob
from stainbridge.jobs.pairs import PairsJob
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.jobs.phantom_slices import PhantomSlicesJob
from stainbridge.jobs.register import RegisterJob
from stainbridge.jobs.train_affine import TrainAffineJob
from stainbridge.jobs.train_deformable import TrainDeformableJob
from stainbridge.jobs.train_sar import TrainSarJob
from stainbridge.jobs.train_sbr import TrainSbrJob
from stainbridge.jobs.train_sharpen import TrainSharpenJob
from stainbridge.jobs.train_translate import TrainTranslateJob
from stainbridge.jobs.translate import TranslateJob
from stainbridge.jobs.view import ViewJob
from stainbridge.jobs.warp_geojson import WarpGeojsonJob
from stainbridge.jobs.warp_points import WarpPointsJob
from stainbridge.jobs.warp_slide import WarpSlideJob
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.source import SlidePair

A, B, OUT = Path("a"), Path("b"), Path("out")
JOBS: tuple[Any, ...] = (
    BenchmarkJob(data=(A,), out=OUT),
    BenchmarkSynthesisJob(data=(A,), out=OUT, methods=("identity",)),
    DemoJob(),
    EvaluateImagesJob(a=A, b=B),
    EvaluateLandmarksJob(fixed_landmarks=A, moving_landmarks=B, result=OUT),
    EvaluateMasksJob(a=A, b=B),
    EvaluateSlicesJob(data=(A,)),
    EvaluateTranslationJob(models=(A,), data=B),
    ExportAffineJob(result=A, out=OUT),
    ExportOnnxJob(model=A, out=OUT),
    InfoJob(slide=A),
    JoinBenchmarksJob(folders=(A, B), out=OUT),
    PairsJob(
        pair=SlidePair(id="a", patient="p", split="train", fixed=A, moving=B),
        out=OUT,
        config=PairingConfig(),
    ),
    PairSetJob(out=OUT, manifest=A),
    PhantomJob(out=OUT),
    PhantomSlicesJob(out=OUT),
    RegisterJob(fixed=A, moving=B, out=OUT),
    TrainAffineJob(out=OUT),
    TrainDeformableJob(out=OUT),
    TrainSarJob(out=OUT),
    TrainSbrJob(out=OUT),
    TrainSharpenJob(out=OUT),
    TrainTranslateJob(out=OUT),
    TranslateJob(slide=A, model=B, out=OUT),
    ViewJob(paths=(A,)),
    WarpGeojsonJob(result=A, source=B, out=OUT),
    WarpPointsJob(result=A, source=B, out=OUT),
    WarpSlideJob(result=A, out=OUT),
)
FOLDER = Path(stainbridge.jobs.__path__[0])
MODULES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if path.stem != "__init__"
)


def request_classes() -> dict[str, Any]:
    """Every job and outcome of the room by its name."""
    found = {}
    for name in MODULES:
        module = import_module(f"stainbridge.jobs.{name}")
        for key, value in vars(module).items():
            if key.endswith(("Job", "Outcome")) and value.__module__ == module.__name__:
                found[key] = value
    return found


CLASSES = request_classes()


def test_every_job_is_in_the_table() -> None:
    jobs = {name for name, kind in CLASSES.items() if name.endswith("Job")}
    assert {type(job).__name__ for job in JOBS} == {
        name for name in jobs if not inspect.isabstract(CLASSES[name])
    }


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_a_job_is_frozen_and_pickles(job: Any) -> None:
    assert pickle.loads(pickle.dumps(job)) == job
    name = fields(job)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(job, name, None)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_a_job_takes_both_callbacks_and_returns_an_outcome(job: Any) -> None:
    signature = inspect.signature(job.run)
    assert list(signature.parameters) == ["progress", "note"]
    returned = str(signature.return_annotation)
    assert returned.endswith("Outcome")
    assert returned in CLASSES
    assert is_dataclass(CLASSES[returned])


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_is_documented(name: str) -> None:
    (definition,) = ast.parse(inspect.getsource(CLASSES[name])).body
    assert isinstance(definition, ast.ClassDef)
    body = definition.body
    for item, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and not ast.unparse(item.annotation).startswith("Class"):
            text = below.value if isinstance(below, ast.Expr) else None
            assert isinstance(text, ast.Constant), ast.unparse(item.target)


def test_jobs_are_light_to_import() -> None:
    heavy = "{'torch', 'numpy', 'cv2', 'typer', 'rich', 'yaml'}"
    imports = "; ".join(f"import stainbridge.jobs.{name}" for name in light_modules())
    code = f"import sys; {imports}; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == "[]"


def light_modules() -> list[str]:
    """All modules but the two that draw the demo's pictures."""
    return [name for name in MODULES if not name.startswith("demo_")]


def test_nothing_in_the_room_prints_or_parses() -> None:
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), path.name
