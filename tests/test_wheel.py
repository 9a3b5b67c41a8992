"""The wheel, installed in an empty environment: minimal, then with every feature.

These tests fetch packages with pip, in the versions of constraints.txt.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Extras of those who work on stainbridge or measure other tools.
NOT_FEATURES = {"all", "dev", "docs", "peers"}
PYTHONS = ("python3.11", "python3.12", "python3.13")

#: Someone's own script, checked against the installed package.
SCRIPT = """import stainbridge

registration: stainbridge.Registration = stainbridge.register("he.svs", "ki67.svs", "fast")
reveal_type(registration.status)
stainbridge.register("he.svs", "ki67.svs", "slow")
"""


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def starts(name: str) -> bool:
    """Say whether the interpreter is there and runs: a version manager leaves stubs of others."""
    return (
        bool(shutil.which(name))
        and not subprocess.run([name, "--version"], capture_output=True, check=False).returncode
    )


def install(python: Path, requirements: Sequence[str | Path], folder: Path) -> None:
    pip = (python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt")
    run(*pip, *requirements, folder=folder)


def test_all_is_every_feature() -> None:
    (everything,) = EXTRAS["all"]
    listed = everything.removeprefix("stainbridge[").removesuffix("]").split(",")
    assert set(listed) == EXTRAS.keys() - NOT_FEATURES


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHONS)
def test_the_wheel_works_in_an_empty_environment(name: str, tmp_path: Path) -> None:
    if not starts(name):
        pytest.skip(f"{name} is not installed")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT,
        folder=tmp_path,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("stainbridge-*.whl")
    run(name, "-m", "venv", "environment", folder=tmp_path)
    binaries = tmp_path / "environment" / "bin"
    command = binaries / "stainbridge"

    install(binaries / "python", [wheel], tmp_path)
    assert run(command, "--version", folder=tmp_path).split()[1] == PROJECT["version"]
    run(command, "phantom", "--out", "pairs", "--cases", "1", "--size", "256", folder=tmp_path)
    (fixed,) = tmp_path.glob("pairs/images/*_fixed_*")
    (moving,) = tmp_path.glob("pairs/images/*_moving_*")
    sides = ("--fixed", fixed, "--moving", moving)
    run(command, "register", *sides, "--out", "result", "--preset", "fast", folder=tmp_path)
    missing = subprocess.run(
        [command, "train", "affine", "--out", "run", "--steps", "1"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "stainbridge[train]" in missing.stderr

    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # What the package imports is another matter: its own types must be found by a stranger's mypy.
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\n[mypy-torch.*,scipy.*]\nfollow_imports = skip\n")
    checked = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--config-file", settings,
            "--python-executable", binaries / "python", script,
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "script.py:4: note: Revealed type is" in checked.stdout, checked.stdout
    assert 'script.py:5: error: Argument 3 to "register"' in checked.stdout
    assert "Found 1 error" in checked.stdout

    install(binaries / "python", [f"{wheel}[all]"], tmp_path)
    run(
        command, "train", "affine", "--out", "run", "--steps", "1", "--preset", "small",
        folder=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "run" / "last.safetensors").is_file()
