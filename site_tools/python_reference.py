"""The reference of the Python interface: what to generate from which name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import stainbridge

ROOT = Path(__file__).parents[1]
JOBS = ROOT / "src" / "stainbridge" / "jobs"


def write_python_reference() -> str:
    """Return a page of all public names, in the groups of the table in `docs/api.md`."""
    _, _, table = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## All names")
    parts = [
        "# Python reference",
        "Every public name of `stainbridge`, generated from its docstring.\n"
        "[Python](../api.md) shows how they are used together.",
    ]
    for group, names in re.findall(r"^\| ([a-z ]+) \| (`.+`) \|$", table, re.MULTILINE):
        parts.append(f"## {group.capitalize()}")
        parts += [_directive(name) for name in re.findall(r"`(\w+)`", names)]
    return "\n\n".join(parts) + "\n"


def write_jobs_reference() -> str:
    """Return a page of the jobs: what the command line parses its options into."""
    parts = [
        "# Jobs reference",
        "One frozen request for each verb of the command line.\n"
        "[Command line](../cli.md#the-same-from-python) shows how to run one.",
    ]
    for path in sorted(JOBS.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        parts += [
            f"::: stainbridge.jobs.{path.stem}.{name}" for name in names if name.endswith("Job")
        ]
    return "\n\n".join(parts) + "\n"


def _directive(name: str) -> str:
    if name == "__version__":
        return "### `stainbridge.__version__`\n\nThe version as text, such as `0.2.0`."
    home = stainbridge._HOMES[name]
    return f"::: {home}.{name}\n    options:\n      heading: stainbridge.{name}"
