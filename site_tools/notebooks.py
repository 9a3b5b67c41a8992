"""Run notebooks and show them as pages, without Jupyter.

    python -m site_tools.notebooks docs/notebooks/*.ipynb

runs each notebook in an empty folder and stores what its cells print and show.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]
Output = dict[str, Any]


def run_notebook(notebook: Notebook) -> Notebook:
    """Return the notebook with fresh outputs; its cells run in the working folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            outputs = _run_cell("".join(cell["source"]), names)
            cell = {**cell, "execution_count": number, "outputs": outputs}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _run_cell(source: str, names: dict[str, Any]) -> list[Output]:
    """Run a cell; return what it prints, and the value of its last line as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[Output] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None:
        data = _show(value)
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    return outputs


def _show(value: Any) -> dict[str, Any]:
    """Return a picture as JPEG, anything else as text."""
    as_jpeg = getattr(value, "_repr_jpeg_", None)
    if as_jpeg is not None:
        return {"image/jpeg": base64.b64encode(as_jpeg()).decode("ascii"), "text/plain": "picture"}
    return {"text/plain": repr(value).splitlines(keepends=True)}


def write_page(notebook: Notebook) -> str:
    """Return a notebook as a page in Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            parts += [_write_output(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _write_output(output: Output) -> str:
    data = output.get("data", {})
    if "image/jpeg" in data:
        return f'<img alt="output" src="data:image/jpeg;base64,{data["image/jpeg"]}">'
    text = "".join(output["text"] if "text" in output else data["text/plain"])
    return f"```text\n{text.rstrip()}\n```"


def main(paths: list[str]) -> None:
    """Run notebooks and store them with their outputs."""
    for path in map(Path, paths):
        path = path.resolve()
        notebook = json.loads(path.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            ran = run_notebook(notebook)
        text = json.dumps(ran, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
