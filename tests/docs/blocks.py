"""The fenced blocks of the pages, and how each kind is run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stainbridge.cli.main import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RESULTS = sorted((DOCS / "results").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), *RESULTS]

#: Languages whose blocks are not run: output, layouts, outlines of commands, parts of files.
SHOWN = {"text", "diff", "toml", "yaml", "csv"}
#: Commands of a page that are checked and not run.
CHECKED = {"make", "pip", "pre-commit", "export", ".ci/run", ".venv/bin/python"}
#: Weights that nobody may ship: a run without them takes the stand-in that the page names.
NEEDS_WEIGHTS = {"--perceptual", "--perceptual-weights", "--lpips", "--features"}
#: Options and what they are run with: pages are run for their words, not their accuracy.
QUICK = {"--cases": "1", "--size": "256", "--workers": "1", "--device": "cpu", "--tune": "10"}
QUICK |= {"--precision": "32", "--n-starts": "1", "--tiles": "800", "--patch": "128"}
TRAIN = {"batch": 1, "workers": 0, "validation_samples": 1, "device": "cpu", "save_every": 1}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the file that it is, if any, and its text."""

    page: Path
    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command, comments and continued lines taken off."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def read_blocks(page: Path) -> list[Block]:
    found = re.findall(
        r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$',
        page.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [Block(page, *parts) for parts in found]


def run_page(page: Path) -> int:
    """Run the blocks of a page in their order, in the working folder; return how many ran."""
    if re.search(r"register .*--out result\s", page.read_text(encoding="utf-8")):
        shutil.rmtree("result")  # the page makes its own
    names: dict[str, Any] = {"__name__": page.stem}
    ran = 0
    for block in read_blocks(page):
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            code = compile(block.text, f"{page.name}, block {ran}", "exec", dont_inherit=True)
            exec(code, names)
        elif block.language == "sh":
            for words in block.commands:
                run_command(words)
        else:
            continue
        ran += 1
    return ran


def run_command(words: list[str]) -> None:
    if words[:2] == ["stainbridge", "view"]:
        return  # it serves until it is ended
    if words[0] == "stainbridge":
        short = shorten(words)
        assert run(short[1:]) == 0, short
    elif words[0] not in CHECKED:
        subprocess.run(words, check=True, capture_output=True)


def shorten(words: list[str]) -> list[str]:
    """Return a command that runs in seconds: fewer steps, cases and pixels, no other's weights."""
    short: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in NEEDS_WEIGHTS:
            next(rest)
        elif word in QUICK:
            short += [word, QUICK[word]]
            next(rest)
        elif word == "--steps":
            short += [word, "4" if "--resume" in words else "2"]
            next(rest)
        else:
            short.append("small" if word == "paper" else word)
    if short[1] == "demo":
        short += ["--size", "600"]
    if short[1] == "train" and "--resume" not in short:
        short += [] if "--steps" in short else ["--steps", "2"]
        short += [] if "--config" in short else ["--config", f"quick-{short[2]}.yaml"]
    return short
