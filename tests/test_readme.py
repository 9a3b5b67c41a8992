"""The commands and the Python in README and docs do what they say: they are run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stainbridge.cli.main import run
from stainbridge.registration.config import PRESETS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
#: Pages whose commands are run in order, in a folder with the slides they name.
RUN = ("README.md", "getting-started.md", "cli.md")


@pytest.fixture(autouse=True)
def quick_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give `default` the settings of `fast`: pages are run for their words, not their accuracy."""
    monkeypatch.setitem(PRESETS, "default", replace(PRESETS["fast"], name="default"))


@dataclass(frozen=True)
class Snippet:
    page: Path
    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command line, comments taken off."""
        lines = (line.removeprefix("$ ") for line in self.text.splitlines())
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def snippets(page: Path, *languages: str) -> list[Snippet]:
    fenced = re.findall(
        r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [Snippet(page, language, text) for language, text in fenced if language in languages]


def commands(*pages: Path) -> list[list[str]]:
    return [
        words
        for page in pages
        for snippet in snippets(page, "sh", "console")
        for words in snippet.commands
    ]


def pages(*names: str) -> list[Path]:
    return [page for page in PAGES if page.name in names]


def makefile_targets() -> set[str]:
    return set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_the_readme_begins_with_its_two_commands() -> None:
    assert commands(ROOT / "README.md")[:2] == [["make", "demo"], ["make", "test"]]


def test_every_make_command_has_a_target() -> None:
    named = {words[1] for words in commands(*PAGES) if words[0] == "make"}
    assert {"demo", "test"} <= named <= makefile_targets()


def test_other_commands_are_known_ones() -> None:
    for words in commands(*PAGES):
        known = words[0] in {"make", "stainbridge", ".ci/run"}
        assert known or words[:-1] == ["pip", "install", "-c", "constraints.txt"], words
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_run(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = 0
    for words in commands(*pages(name)):
        if words[0] != "stainbridge" or words[1] == "demo":  # the demo has a test of its own
            continue
        if "start.h5" in words:  # somebody's own transform: here, the one just found
            shutil.copy("result/transform.h5", "start.h5")
        assert run(words[1:]) == 0, (words, capsys.readouterr().err)
        if "--json" in words:
            json.loads(capsys.readouterr().out)
        if "--out" in words:
            assert Path(words[words.index("--out") + 1]).exists()
        capsys.readouterr()
        ran += 1
    assert ran >= 3


@pytest.mark.parametrize("name", RUN[:2])
def test_the_python_of_a_page_runs(name: str, workplace: Path) -> None:
    assert (
        run(
            [
                "register",
                "--fixed",
                "he.svs",
                "--moving",
                "ki67.svs",
                "--out",
                "result",
                "--preset",
                "fast",
            ]
        )
        == 0
    )
    names: dict[str, object] = {}
    for snippet in snippets(*pages(name), "python"):
        exec(compile(snippet.text, f"{name} (snippet)", "exec"), names)
    assert names.keys() & {"registration", "moving_from_fixed"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_pages_are_reachable_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index
