"""The public names, and how little importing them costs."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import stainbridge

ROOT = Path(__file__).parents[1]

#: All public names, a group a line or two.
PUBLIC = """
register load Registration
RegisterConfig SearchConfig AffineConfig DeformableConfig TileRefinementConfig
LearnedAffineConfig LearnedFieldConfig
PieceRecord StageRecord Evidence Misfit
open_slide write_slide as_slide Slide ArraySlide WarpedSlide
Space Frame Image Transform Affine DisplacementField read_transform write_transform Landmarks
read_points_csv write_points_csv
translate
generate_pair
score_landmarks
StainbridgeError InputError MissingFileError MissingExtraError RegistrationError
__version__
"""

USER_SCRIPT = """import stainbridge

reveal_type(stainbridge.register)
registration = stainbridge.register("he.svs", "ki67.svs", "fast", seed=1)
reveal_type(registration.warp_points([[1200, 900]]))
"""

HEAVY = {
    "torch",
    "openslide",
    "SimpleITK",
    "tifffile",
    "cv2",
    "scipy",
    "skimage",
    "zarr",
    "PIL",
    "numpy",
    "jinja2",
    "yaml",
}


def heavy_modules_after(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter has loaded after `statement`."""
    script = (
        f"import sys\n{statement}\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.split())


def test_the_public_list() -> None:
    assert stainbridge.__all__ == PUBLIC.split()


@pytest.mark.parametrize("name", stainbridge.__all__)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(stainbridge, name)
    assert name in dir(stainbridge)
    assert value.__doc__


def test_the_public_list_is_the_one_of_the_docs() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    _, _, table = page.partition("## All names")
    assert re.findall(r"`(\w+)`", table) == stainbridge.__all__


def test_type_checkers_see_the_names_where_they_are_imported_from() -> None:
    tree = ast.parse(inspect.getsource(stainbridge))
    imports = {
        name.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname
    }
    assert imports == stainbridge._HOMES


def test_no_public_name_is_a_module() -> None:
    """Importing a module would put it in the place of the public name."""
    modules = {module.name for module in pkgutil.iter_modules(stainbridge.__path__)}
    assert modules.isdisjoint(stainbridge.__all__)


@pytest.mark.parametrize("name", ["register", "translate", "load", "score_landmarks"])
def test_functions_are_functions_whatever_was_imported(name: str) -> None:
    import_module("stainbridge.registration.pipeline")
    import_module("stainbridge.translation.inference.apply")
    function = getattr(stainbridge, name)
    assert inspect.isfunction(function)
    kinds = {parameter.kind.name for parameter in inspect.signature(function).parameters.values()}
    assert kinds <= {"POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"}


def test_the_signature_of_register() -> None:
    parameters = inspect.signature(stainbridge.register).parameters
    assert list(parameters)[:4] == ["fixed", "moving", "preset", "config"]
    assert parameters["preset"].default == "default"
    assert all(
        parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is None
        for parameter in list(parameters.values())[3:]
    )


@pytest.mark.slow
def test_a_strict_type_checker_sees_the_functions(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(USER_SCRIPT)
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\n[mypy-torch.*,scipy.*]\nfollow_imports = skip\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", settings, script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    registered, warped = (line for line in done.stdout.splitlines() if "Revealed type" in line)
    assert 'is "def (fixed: str | os.PathLike[str] | ' in registered
    assert "max_rotation_deg: float | None" in registered
    assert "-> stainbridge.registration.result.Registration" in registered
    assert "numpy.float64" in warped


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'align'"):
        _ = stainbridge.align


def test_the_version_is_the_installed_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stainbridge", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["stainbridge", stainbridge.__version__]


@pytest.mark.parametrize(
    "statement", ["import stainbridge", "import stainbridge; stainbridge.InputError"]
)
def test_importing_is_light(statement: str) -> None:
    assert heavy_modules_after(statement) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["register", "--help"],
        ["warp", "slide", "--help"],
        ["train", "affine", "--help"],
        ["nonsense"],
    ],
)
def test_help_is_light(arguments: list[str]) -> None:
    statement = (
        "from stainbridge.cli.main import run; sys.stdout = sys.stderr; "
        f"run({arguments}); sys.stdout = sys.__stdout__"
    )
    assert heavy_modules_after(statement) == set()
