"""The notebooks run, and their pages show what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from site_tools.notebooks import run_notebook, write_page
from tests.docs.blocks import DOCS

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def kinds(notebook: dict[str, Any]) -> list[list[str]]:
    """Return what each cell prints and shows, by kind."""
    return [
        [min(output.get("data", {"text": ""})) for output in cell.get("outputs", [])]
        for cell in notebook["cells"]
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = read(path)
    assert kinds(run_notebook(notebook)) == kinds(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_pictures_and_is_small(path: Path) -> None:
    assert any("image/jpeg" in cell for cell in kinds(read(path)))
    assert path.stat().st_size < 300_000


def test_a_cell_shows_what_it_prints_and_its_last_value() -> None:
    source = ["x = 6\n", "print('six')\n", "x * 7"]
    cells = [{"cell_type": "markdown", "source": ["# Title"]}]
    cells += [
        {"cell_type": "code", "source": source},
        {"cell_type": "code", "source": ["x = None"]},
    ]
    ran = run_notebook({"cells": cells})
    assert write_page(ran) == (
        "# Title\n\n```python\nx = 6\nprint('six')\nx * 7\n```\n\n"
        "```text\nsix\n```\n\n```text\n42\n```\n\n```python\nx = None\n```\n"
    )
