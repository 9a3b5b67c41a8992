"""Messages reach every kind of stream, or are given up in order."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainbridge.cli import streams

COMMAND = [sys.executable, "-m", "stainbridge"]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("µ") / "tissue × µm.png"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp932"])
def test_every_encoding_of_the_terminal_will_do(encoding: str, picture: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [*COMMAND, "info", str(picture)], env=environment, capture_output=True, check=True
    )
    assert "50" in done.stdout.decode(encoding)
    assert done.stderr == b""


def test_signs_are_written_plainly_where_the_encoding_lacks_them() -> None:
    codecs.register_error(streams.PLAIN_WORDS, streams._write_plainly)
    text = "0.5 µm × 2 …\udcff 病"
    assert text.encode("ascii", streams.PLAIN_WORDS) == b"0.5 um x 2 ...\\udcff \\u75c5"
    assert "µ病".encode("gbk", streams.PLAIN_WORDS).decode("gbk") == "u病"


@pytest.mark.parametrize("closed", ["1>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_change_nothing(closed: str, picture: Path) -> None:
    command = f'"{sys.executable}" -m stainbridge info "{picture}" {closed}'
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    command = f'"{sys.executable}" -m stainbridge info missing.svs {closed}'
    assert subprocess.run(command, shell=True, check=False).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.parametrize("arguments", [["--version"], ["info", "--json"], ["info"]])
def test_a_full_disk_behind_the_output_is_one_line(arguments: list[str], picture: Path) -> None:
    names = [str(picture)] if "info" in arguments else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments, *names],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--version"], ["info", "--json"], ["info"]])
def test_a_reader_that_is_gone_is_one_line(arguments: list[str], picture: Path) -> None:
    names = [str(picture)] if "info" in arguments else []
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *arguments, *names],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "error: standard output: Broken pipe\n")


def test_json_stays_json_in_ascii(picture: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, "info", str(picture), "--json"], env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["width"] == 50
