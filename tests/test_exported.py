"""The public names, and how little importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stainbridge

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
    assert sorted(stainbridge.__all__) == [
        "InputError",
        "MissingExtraError",
        "Registration",
        "RegistrationError",
        "StainbridgeError",
        "__version__",
        "load",
        "open_slide",
        "register",
    ]


@pytest.mark.parametrize("name", stainbridge.__all__)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(stainbridge, name)
    assert name in dir(stainbridge)
    assert value.__doc__


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
    statement = f"from stainbridge.cli.main import run; sys.stdout = sys.stderr; run({arguments}); sys.stdout = sys.__stdout__"
    assert heavy_modules_after(statement) == set()
