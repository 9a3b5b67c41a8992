"""How errors become exit codes and one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from stainbridge.cli import main
from stainbridge.cli.app import VERBS as VERBS_OF_APP
from stainbridge.cli.app import make_app
from stainbridge.errors import InputError, RegistrationError

VERBS = [
    ["info"],
    ["register"],
    ["warp", "slide"],
    ["warp", "points"],
    ["warp", "geojson"],
    ["evaluate", "landmarks"],
    ["train", "affine"],
    ["train", "deformable"],
    ["benchmark", "landmarks"],
    ["demo"],
    ["cohort"],
]


def raising(error: BaseException) -> object:
    def command(*arguments: object, **options: object) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            InputError("too small", where="a.svs", expected=2, got=1),
            2,
            "error: a.svs: too small; expected 2; got 1",
        ),
        (
            RegistrationError("the registration failed: blank"),
            3,
            "error: the registration failed: blank",
        ),
        (KeyboardInterrupt(), 130, "interrupted; nothing half-written was left"),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(main, "load_app", lambda _: raising(error))
    assert main.run(["info", "a.svs"]) == code
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", line + "\n")


def test_a_bug_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(main.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(main, "load_app", lambda _: raising(ZeroDivisionError("a bug")))
    assert main.run(["info", "a.svs"]) == 1
    (kept,) = tmp_path.iterdir()
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert str(kept) in output.err
    assert "ZeroDivisionError: a bug" in kept.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "nonsense"),
        (["info"], "SLIDE"),
        (["info", "a.svs", "--colour"], "--colour"),
        (["register", "--fixed", "a.svs", "--out", "b"], "--moving"),
        (["register", "--fixed", "a", "--moving", "b", "--out", "c", "--preset", "best"], "best"),
        (
            ["register", "--fixed", "a", "--moving", "b", "--out", "c", "--threads", "0"],
            "--threads",
        ),
        (
            ["register", "--fixed", "a", "--moving", "b", "--out", "c", "--max-rotation", "200"],
            "--max-rotation",
        ),
        (["warp", "points", "a", "b", "--out", "c", "--to", "source"], "source"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert said in output.err
    assert "--help" in output.err


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_an_example(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([*verb, "--help"]) == 0
    help_text = capsys.readouterr().out
    (example,) = [line for line in help_text.splitlines() if line.strip().startswith("Example")]
    after = help_text.split(example, 1)[1].splitlines()[1].split()
    assert after[: 1 + len(verb)] == ["stainbridge", *verb]


def test_without_a_verb_the_verbs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 2
    output = capsys.readouterr()
    assert all(verb[0] in output.out + output.err for verb in VERBS)


def test_a_group_without_a_verb_shows_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["warp"]) == 2
    output = capsys.readouterr()
    assert "geojson" in output.out + output.err


def test_a_terminal_width_does_not_change_the_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "20")
    assert main.run(["info", "no/such/slide/with/a/rather/long/name.svs"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("verb", "given", "wanted"), [("register", "", "1"), ("warp", "3", "3")])
def test_blas_has_one_thread_unless_the_user_gives_more(
    monkeypatch: pytest.MonkeyPatch, verb: str, given: str, wanted: str
) -> None:
    for name in ("prepare_streams", "silence_libraries", "start_quickly"):
        monkeypatch.setattr(main, name, lambda **_: None)
    monkeypatch.setattr(main.Interruption, "listen", lambda _: None)
    monkeypatch.setattr(main, "run", lambda *_: 0)
    monkeypatch.setattr(sys, "argv", ["stainbridge", verb])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    if not given:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    with pytest.raises(SystemExit):
        main.main()
    assert os.environ["OPENBLAS_NUM_THREADS"] == wanted
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "1"


def test_a_verb_does_not_import_the_others() -> None:
    code = (
        "import sys; from stainbridge.cli.main import run; run(['register', '--help']);"
        "sys.exit(any(f'stainbridge.cli.{name}' in sys.modules for name in ('pairs', 'train')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


@pytest.mark.parametrize("verb", VERBS_OF_APP)
def test_a_verb_is_found_alone_and_among_all(verb: str) -> None:
    assert list(get_command(make_app([verb, "--help"])).commands) == [verb]
    assert verb in get_command(make_app()).commands
    assert verb in get_command(make_app(["--help", verb])).commands


def test_a_choice_that_is_none_is_said_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["register", "a", "b", "--preset", "quick"]) == 2
    said = capsys.readouterr().err
    assert "'quick' is not one of 'fast', 'default', 'accurate'; see: stainbridge register" in said
    assert "Value error" not in said
