"""The code of the pages is run, and what they name exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import (
    CHECKED,
    DOCS,
    PAGES,
    RESULTS,
    ROOT,
    SHOWN,
    Block,
    read_blocks,
    run_page,
)
from typer.main import get_command

from stainbridge.cli.app import make_app

#: Pages whose code other tests run, with what it has to give.
ELSEWHERE = {
    "api.md": "tests/test_api.py",
    "metrics.md": "tests/metrics/test_metrics_docs.py",
    "phantom.md": "tests/phantom/test_phantom_docs.py",
    "transform-files.md": "tests/geometry/test_transform_docs.py",
}
#: Pages that train, translate or compare: their code takes longer than a few seconds.
SLOW = {
    "benchmark.md", "benchmark-synthesis.md", "cohort.md", "evaluate-slices.md",
    "getting-started.md", "learned.md", "pairs.md", "register.md", "register-by-synthesis.md",
    "sar.md", "sbr.md", "training.md", "translate-training.md", "translate.md",
}  # fmt: skip
RUN = [page for page in PAGES if page not in RESULTS and page.name not in ELSEWHERE]
HAVE_CODE = [page for page in RUN if any(b.language in {"sh", "python"} for b in read_blocks(page))]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in SLOW else [])
        for page in HAVE_CODE
        if page.name != "CONTRIBUTING.md"
    ],
)
def test_the_code_of_a_page_runs(
    page: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_page(page) >= 1, capsys.readouterr().err


def test_code_that_runs_elsewhere_runs_there() -> None:
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_says_whether_it_is_run(page: Path) -> None:
    languages = {block.language for block in read_blocks(page)}
    assert languages <= SHOWN | {"sh", "python"}, languages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_not_run_are_right(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for words in commands(page):
        if words[0] == "make" and words[1].islower():
            assert words[1] in targets, words
        if words[:2] == ["python", "benchmarks"] or words[-1].startswith("benchmarks/"):
            assert (ROOT / words[-1]).is_file(), words
        if words[0] == "python" and words[1].startswith("benchmarks/"):
            assert (ROOT / words[1]).is_file(), words
        if words[:2] == ["pip", "install"]:
            named = re.findall(r"\[(.*)\]", words[-1])
            assert all(f"\n{extra} = [" in extras for each in named for extra in each.split(","))


@pytest.mark.parametrize(
    "page", [*RESULTS, DOCS / "cli.md", DOCS / "view.md"], ids=lambda page: page.name
)
def test_options_of_commands_that_are_not_run_exist(page: Path) -> None:
    for words in commands(page):
        if words[0] == "stainbridge":
            known = options(words[1:])
            named = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert named <= known, (words, named - known)


def test_other_commands_are_known_ones() -> None:
    for page in PAGES:
        for block in read_blocks(page):
            for words in block.commands if block.language == "sh" else []:
                known = {"stainbridge", "cp", "md5sum", "python", "dask", *CHECKED}
                assert words[0] in known, (page.name, words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_pages_are_reachable_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"({name})" in index, name


def test_the_readme_begins_with_its_two_commands() -> None:
    assert commands(ROOT / "README.md")[:2] == [["make", "demo"], ["make", "test"]]


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page, also of blocks that show more than one can run."""
    return [
        words
        for block in read_blocks(page)
        if block.language in {"sh", "text"}
        for words in split(block)
        if words[0] in {"stainbridge", "python", "make", "pip", "sh"}
    ]


def split(block: Block) -> list[list[str]]:
    if block.language == "text" and not re.match(
        r"(stainbridge|python|make|pip|sh|export) ", block.text
    ):
        return []
    outline = re.sub(r"[\[\]()|…]|<[^>]*>", " ", block.text)
    joined = re.sub(r"\n\s+", " ", outline)
    return Block(block.page, block.language, "", joined).commands


@cache
def stainbridge_command() -> Any:
    return get_command(make_app())


def options(words: list[str]) -> set[str]:
    """Return the options of the command that the words name."""
    command = stainbridge_command()
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    verbs = [command, *getattr(command, "commands", {}).values()]
    named = {option for verb in verbs for parameter in verb.params for option in parameter.opts}
    return named | {"--help"}
