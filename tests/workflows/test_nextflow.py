"""The scripts of the Nextflow module leave the files that it declares.

Nextflow is not needed: its variables are filled in here, and the shell runs what comes of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tissue import Tissue

MODULE = Path(__file__).parents[2] / "workflows" / "nextflow" / "main.nf"
PREFIX = "block-1"


def read_script(name: str) -> str:
    """Return the shell script of a block, with escapes as Groovy reads them."""
    text = MODULE.read_text(encoding="utf-8")
    block = re.search(rf'^    {name}:\n.*?"""\n(.*?)"""', text, re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1].replace("\\\\", "\\")


def list_outputs(*, optional: bool) -> list[str]:
    """Return the paths that are declared, from the folder of the process."""
    lines = re.findall(r'path\("\$\{prefix\}/([^"]+)"\)(.*)', MODULE.read_text(encoding="utf-8"))
    return [f"{PREFIX}/{path}" for path, rest in lines if optional or "optional: true" not in rest]


def run_script(script: str, folder: Path, values: dict[str, str]) -> None:
    """Run a script with Nextflow's variables filled in; none may be left."""
    for name, value in values.items():
        script = script.replace(name, value)
    assert "${" not in script
    commands = folder / "bin"
    commands.mkdir()
    words = f'exec {sys.executable} -c "from stainbridge.cli.main import main; main()" "$@"'
    (commands / "stainbridge").write_text(f"#!/bin/sh\n{words}\n")
    (commands / "stainbridge").chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
    )


def test_the_stub_leaves_what_is_declared(tmp_path: Path) -> None:
    run_script(read_script("stub"), tmp_path, {"${prefix}": PREFIX})
    made = {str(path.relative_to(tmp_path)) for path in (tmp_path / PREFIX).iterdir()}
    assert set(list_outputs(optional=False)) <= made <= set(list_outputs(optional=True))


@pytest.mark.slow
def test_the_script_leaves_what_is_declared(tissue: Tissue, tmp_path: Path) -> None:
    values = {
        "${prefix}": PREFIX,
        "${fixed}": str(tissue.fixed),
        "${moving}": str(tissue.moving),
        "${task.cpus}": "1",
        "$args": "--preset fast --no-report",
    }
    run_script(read_script("script"), tmp_path, values)
    for path in list_outputs(optional=False):
        assert (tmp_path / path).is_file(), path
    assert (tmp_path / PREFIX / "transform.h5").is_file()
