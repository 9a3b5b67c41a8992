"""`stainbridge view` as a process: it says where it is, serves, and ends at Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.cli.conftest import KnownResult

from stainbridge.cli.main import run
from stainbridge.jobs.view import find_results, make_session
from stainbridge.viewer.listen import listen


@pytest.mark.parametrize("is_served", [True, False], ids=["served", "before it serves"])
def test_it_says_where_it_is_and_ends_at_ctrl_c(known: KnownResult, *, is_served: bool) -> None:
    before = sorted(known.folder.rglob("*"))
    code = "import sys; from stainbridge.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "view", str(known.folder), "--no-browser"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert process.stderr is not None
    link = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stderr.readline())
    assert link
    if is_served:
        request = urllib.request.Request(link[0].replace("/?", "/api/session?"))
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert reply.status == 200
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert said == ""
    assert errors.splitlines()[-1] == "stopped"
    assert sorted(known.folder.rglob("*")) == before


def test_the_browser_is_opened_before_the_servers_libraries_load(known: KnownResult) -> None:
    code = f"""
import sys, webbrowser
from pathlib import Path
from stainbridge.jobs.view import ViewJob

def look(link):
    sys.exit("late" if {{"fastapi", "uvicorn", "torch"}} & set(sys.modules) else 0)

webbrowser.open = look
ViewJob(paths=(Path({str(known.folder)!r}),)).run()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["missing", "empty folder", "no slide", "mixed", "moved slide"])
def test_nothing_to_look_at_is_one_line(
    known: KnownResult, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {
        "missing": [tmp_path / "none"],
        "empty folder": [tmp_path / "empty"],
        "no slide": [tmp_path / "notes.txt"],
        "mixed": [known.folder, known.fixed],
        "moved slide": [known.folder],
    }[kind]
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("a note")
    if kind == "moved slide":
        known.moving.unlink()
    assert run(["view", *map(str, paths), "--no-browser"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_a_second_viewer_on_the_port_is_one_line(
    known: KnownResult, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert run(["view", str(known.folder), "--port", str(port), "--no-browser"]) == 2
    assert f"port {port}: the port is taken" in capsys.readouterr().err


def test_a_folder_of_results_is_a_cohort_and_results_of_one_slide_a_case(
    known: KnownResult, tmp_path: Path
) -> None:
    cohort = tmp_path / "cohort"
    for name in ("b", "a"):
        known.registration.save(cohort / name, known.fixed, known.moving)
    cohort.joinpath("notes").mkdir()
    assert [folder.name for folder in find_results(cohort)] == ["a", "b"]
    with make_session((cohort,)) as session:
        assert [state.source.title for state in session.states] == ["a", "b"]
    with make_session((cohort / "a", cohort / "b")) as session:
        (state,) = session.states
        with session.borrow(state.id) as case:
            assert [layer.id for layer in case.layers] == ["fixed", "moving", "moving-2"]
    with make_session((known.fixed, known.moving)) as session:
        (state,) = session.states
        assert state.source.summarise().status == "slides"
