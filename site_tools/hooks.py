"""Hooks of MkDocs: pages that are generated, not written."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from site_tools.cli_reference import write_cli_reference  # noqa: E402
from site_tools.notebooks import write_page  # noqa: E402
from site_tools.python_reference import (  # noqa: E402
    write_jobs_reference,
    write_python_reference,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of `docs/`."""
    pages = {
        "reference/cli.md": write_cli_reference(),
        "reference/python.md": write_python_reference(),
        "reference/jobs.md": write_jobs_reference(),
        "changelog.md": _read_root_page("CHANGELOG.md"),
        "contributing.md": _read_root_page("CONTRIBUTING.md"),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        text = write_page(json.loads(path.read_text(encoding="utf-8")))
        note = f"[Download this page as a notebook]({path.name})\n"
        files.append(
            File.generated(config, f"notebooks/{path.stem}.md", content=text + "\n" + note)
        )
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        files.append(File.generated(config, f"configs/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page whose links to configurations and notebooks lead to those of the site."""
    if page.file.src_uri.startswith("notebooks/"):
        return markdown
    return markdown.replace("](../configs/", "](configs/").replace(".ipynb)", ".md)")


def _read_root_page(name: str) -> str:
    """Return a page of the repository's root, with its links as they are seen from `docs/`."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = text.replace("(CHANGELOG.md)", "(changelog.md)")
    return re.sub(r"\]\(docs/", "](", text)
