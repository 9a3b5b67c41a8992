"""The documentation site: its generated pages are complete, and its menu has every page."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from site_tools.cli_reference import write_cli_reference
from site_tools.hooks import _read_root_page
from site_tools.python_reference import write_jobs_reference, write_python_reference
from typer.main import get_command

import stainbridge
from stainbridge.cli.app import make_app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {
    "reference/cli.md",
    "reference/python.md",
    "reference/jobs.md",
    "changelog.md",
    "contributing.md",
    *(f"notebooks/{path.stem}.md" for path in (DOCS / "notebooks").glob("*.ipynb")),
}


def menu_pages(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    children = entry.values() if isinstance(entry, dict) else entry
    return [page for child in children for page in menu_pages(child)]


def leaf_commands(command: Any, name: str = "") -> dict[str, Any]:
    children = getattr(command, "commands", None)
    if children is None:
        return {name.strip(): command}
    return {
        leaf: found
        for child_name, child in children.items()
        for leaf, found in leaf_commands(child, f"{name} {child_name}").items()
    }


COMMANDS = leaf_commands(get_command(make_app()))


@cache
def cli_section(name: str) -> str:
    return write_cli_reference().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_the_menu_names_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = menu_pages(yaml.safe_load(text)["nav"])
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(named) == sorted(written | GENERATED)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_command_and_option(name: str) -> None:
    section = cli_section(name)
    assert f"stainbridge {name}" in section
    for parameter in COMMANDS[name].params:
        assert all(option in section for option in parameter.opts if option.startswith("--"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_to_paste(name: str) -> None:
    assert f"```sh\nstainbridge {name}" in cli_section(name)


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"heading: stainbridge\.(\w+)", write_python_reference())
    assert [*named, "__version__"] == stainbridge.__all__


def test_the_reference_has_every_job_once() -> None:
    named = re.findall(r"^::: stainbridge\.jobs\.(\S+)$", write_jobs_reference(), re.MULTILINE)
    assert {"register.RegisterJob", "warp_slide.WarpSlideJob", "demo.DemoJob"} <= set(named)
    assert len(named) == len(set(named))


def test_links_of_the_roots_pages_are_those_of_the_site() -> None:
    text = _read_root_page("CONTRIBUTING.md")
    assert "](architecture.md)" in text
    assert "](docs/" not in text


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(GENERATED)
    # Nothing is loaded from elsewhere: pages open from a folder, without a network.
    loaded = re.compile(r"<(?:script|link|img)[^>]+(?:src|href)=\"?https?://(?!squidfunk)")
    assert not [page.name for page in pages if loaded.search(page.read_text(encoding="utf-8"))]
