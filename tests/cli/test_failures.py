"""What the world does to a run is one line with exit code 2, never a bug report."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.cli import main
from stainbridge.cli.failures import check_names, explain_failure, format_bytes
from stainbridge.errors import InputError

#: Errors of the operating system that a user's machine may raise.
SYSTEM_ERRORS = sorted(set(errno.errorcode) - {errno.EINTR, errno.EAGAIN})


def raising(error: BaseException) -> object:
    def command(*arguments: object, **options: object) -> int:
        raise error

    return command


@pytest.mark.parametrize("number", SYSTEM_ERRORS)
def test_every_error_of_the_system_is_one_line(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "slides/a.svs")
    monkeypatch.setattr(main, "load_app", lambda _: raising(error))
    assert main.run(["info", "a.svs"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: slides/a.svs: {os.strerror(number)}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "place"),
    [(errno.ENOSPC, "standard output"), (errno.EPIPE, "standard output"), (errno.EIO, "a file")],
)
def test_an_error_without_a_name_says_where_it_comes_from(number: int, place: str) -> None:
    explained = str(explain_failure(OSError(number, os.strerror(number))))
    assert explained.startswith(f"{place}: {os.strerror(number)}")
    hidden = OSError(number, os.strerror(number), "out/.stainbridge-a-b-c.partial/files/a.csv")
    assert str(explain_failure(hidden)).startswith("out/a.csv: ")


def test_missing_memory_says_how_much_was_short() -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty((10**7, 10**6))
    said = str(explain_failure(caught.value))
    assert said.startswith("not enough memory; expected 72.8 TiB more; got ")
    assert "free; work at a coarser pixel size" in said
    torch_error = RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 40000000000 bytes. Error code 12 (Cannot allocate memory)"
    )
    assert "expected 37.3 GiB more" in str(explain_failure(torch_error))
    cuda_error = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")
    assert "expected 2.00 GiB more" in str(explain_failure(cuda_error))


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 32321) is killed by signal: Killed. ",
        "DataLoader worker (pid(s) 11, 12) exited unexpectedly",
    ],
)
def test_a_lost_process_that_prepares_samples_is_no_bug(said: str) -> None:
    explained = str(explain_failure(RuntimeError(said)))
    assert explained.startswith("--workers: a process that prepares samples was ended")
    assert "--resume" in explained


def test_a_system_without_threads_is_no_bug() -> None:
    said = str(explain_failure(RuntimeError("can't start new thread")))
    assert said.startswith("the system starts no more threads; got ")


@pytest.mark.parametrize(
    ("arguments", "before"),
    [
        (["register", "--fixed", "", "--moving", "b.svs"], "--fixed"),
        (["warp", "slide", "result", "--out", ""], "--out"),
        (["info", ""], "info"),
        ([""], "stainbridge"),
    ],
)
def test_an_empty_value_is_refused_by_what_stands_before_it(
    arguments: list[str], before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `--out "$OUT"` gives where the variable is not set: an empty path is the folder here."""
    assert main.run(arguments) == 2
    said = capsys.readouterr().err
    assert (
        said == f"error: {before}: an empty value; give one; is a variable of the script unset?\n"
    )


def test_a_working_folder_that_was_removed_is_said(tmp_path: Path) -> None:
    command = (
        f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m stainbridge info a.svs"
    )
    done = subprocess.run(
        command, shell=True, check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: .: the working folder is no longer")


def test_a_name_that_is_not_utf_8_is_found_in_a_table() -> None:
    table = os.fsdecode(b"case,fixed\na,he.svs\nb,slides/b\xff.svs\n")
    with pytest.raises(UnicodeEncodeError) as caught:
        table.encode("utf-8")
    assert str(explain_failure(caught.value)).startswith("slides/b\\udcff.svs: the name is not UTF")


def test_an_error_that_a_library_wraps_is_explained_by_its_cause() -> None:
    """As torch's exporter does where no folder takes temporary files."""
    missing = FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
    wrapped = ValueError("step 1 failed")
    wrapped.__cause__ = missing
    said = str(explain_failure(wrapped))
    assert said == str(explain_failure(missing))
    assert "TMPDIR" in said
    wrapped.__cause__ = KeyError("a bug")
    assert explain_failure(wrapped) is None


def test_a_bug_is_not_explained_away() -> None:
    bugs = (RuntimeError("bug"), ValueError("bug"), OSError("no number"), UnicodeError("bug"))
    assert [explain_failure(bug) for bug in bugs] == [None] * 4


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_a_name_is_text_or_refused(name: bytes) -> None:
    try:
        name.decode()
    except UnicodeDecodeError:
        with pytest.raises(InputError, match="the name is not UTF-8; rename") as caught:
            check_names(["info", os.fsdecode(name)])
        str(caught.value).encode()
    else:
        check_names(["info", os.fsdecode(name)])


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1536, "1.5 KiB"), (40e12, "36.4 TiB"), (1e21, "8.88e+05 PiB")]
)
def test_bytes_in_words(count: float, words: str) -> None:
    assert format_bytes(count) == words


def test_an_interrupted_library_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries that are interrupted while they load raise `ImportError`, among others."""
    interruption = main.Interruption()
    monkeypatch.setattr(main, "load_app", lambda _: raising(ImportError("numpy: initialization")))
    assert main.run(["info", "a.svs"], interruption) == 1
    assert "please report it" in capsys.readouterr().err
    interruption.has_come = True
    assert main.run(["info", "a.svs"], interruption) == 130
    assert capsys.readouterr().err == "interrupted; nothing half-written was left\n"


@pytest.mark.parametrize("delay_s", [0.1, 0.6])
def test_ctrl_c_at_any_moment_is_one_line(delay_s: float) -> None:
    lines = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)",
        "from stainbridge.cli.main import main; print(flush=True); main()",
    )
    command = [sys.executable, "-c", "\n".join(lines), "info", "missing.svs"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # -SIGINT: it came after the line, while Python was leaving; shells call that 130 too
    assert process.returncode in (130, 2, -signal.SIGINT)
    assert said.count("\n") == 1


def test_a_bug_where_nothing_can_be_kept_names_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(main.tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(main, "load_app", lambda _: raising(ZeroDivisionError("a bug")))
    assert main.run(["info", "a.svs"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ZeroDivisionError; please report it with this place: test_failures.py line" in said
