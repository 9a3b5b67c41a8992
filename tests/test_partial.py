"""Half-written files belong to a living process, or the next run removes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.abandoned import leave_partial

from stainbridge import partial
from stainbridge.locks import LockUnsupportedError, release_lock, take_lock
from stainbridge.partial import (
    LOCK,
    OLD_S,
    find_final_path,
    name_owner,
    partial_folder,
    remove_abandoned,
)
from stainbridge.whole import whole_file

HOST, BOOT = name_owner().split("-")
#: Writes half of a file in a folder and waits to be killed.
SCRIPT = """
import sys, time
from pathlib import Path
from stainbridge.whole import whole_file
with whole_file(Path(sys.argv[1]) / "slide.ome.tiff") as temporary:
    temporary.write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_process_wrote_goes_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (left,) = tmp_path.iterdir()
        remove_abandoned(tmp_path)
        assert left.is_dir()
        os.kill(process.pid, signal.SIGKILL)
    assert left.is_dir()
    remove_abandoned(tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("owner", "age_s", "is_removed"),
    [
        (f"{HOST}-{BOOT}", 0, True),
        (f"{HOST}-00000001", 0, True),
        (f"container7-{BOOT}", 0, True),
        ("elsewhere-00000001", 0, False),
        ("elsewhere-00000001", OLD_S + 60, True),
        ("elsewhere", OLD_S - 600, False),
    ],
)
@pytest.mark.parametrize("is_held", [False, True])
def test_the_lock_decides_and_then_the_name_and_the_age(
    tmp_path: Path, owner: str, age_s: float, is_removed: bool, is_held: bool
) -> None:
    left = leave_partial(tmp_path, owner)
    then = time.time() - age_s
    lock = take_lock(left / LOCK) if is_held else None
    os.utime(left, (then, then))
    remove_abandoned(tmp_path)
    assert left.exists() == (is_held or not is_removed)
    release_lock(lock)


@given(depth=st.lists(st.sampled_from(["a", "b", "HE", "x.zarr"]), max_size=4))
def test_all_folders_below_are_cleaned_where_asked(
    depth: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("out")
    below = top.joinpath(*depth)
    left = leave_partial(below)
    (below / "mine.txt").write_text("precious")
    (below / ".stainbridge-notes.partial").write_text("precious")
    remove_abandoned(top, deep=True)
    assert not left.exists()
    assert names(below) == {"mine.txt", ".stainbridge-notes.partial"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    left = leave_partial(tmp_path / "other")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / left.name).symlink_to(left)
    (tmp_path / "here" / "link").symlink_to(tmp_path / "other")
    remove_abandoned(tmp_path / "here", deep=True)
    assert left.is_dir()


def test_a_folder_that_a_cleaner_takes_away_at_once_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = partial.take_lock
    tries: list[Path] = []

    def take_late(path: Path) -> object:
        tries.append(path)
        if len(tries) == 1:
            monkeypatch.setattr(partial, "take_lock", take)
            remove_abandoned(tmp_path)
            monkeypatch.setattr(partial, "take_lock", take_late)
        return take(path)

    monkeypatch.setattr(partial, "take_lock", take_late)
    with whole_file(tmp_path / "a.csv") as temporary:
        temporary.write_text("done")
    assert tries
    assert names(tmp_path) == {"a.csv"}


def test_without_locks_files_are_still_whole_and_only_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise LockUnsupportedError(38, "no locks there", str(path))

    monkeypatch.setattr(partial, "take_lock", refuse)
    left = leave_partial(tmp_path)
    with whole_file(tmp_path / "a.csv") as temporary:
        temporary.write_text("done")
        remove_abandoned(tmp_path)
        assert temporary.exists()
    assert left.exists()
    os.utime(left, (0, 0))
    remove_abandoned(tmp_path)
    assert names(tmp_path) == {"a.csv"}


@pytest.mark.parametrize("length", [1, 100, 255])
def test_names_of_any_length_are_written(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length)
    with whole_file(path) as temporary:
        temporary.write_text("done")
        assert temporary.name == path.name
    assert names(tmp_path) == {path.name}


def test_folders_are_empty_and_their_own(tmp_path: Path) -> None:
    with partial_folder(tmp_path) as first, partial_folder(tmp_path) as second:
        assert first != second
        assert names(first) == names(second) == set()
    assert names(tmp_path) == set()


def test_the_final_path_of_what_is_half_written_has_no_hidden_folder(tmp_path: Path) -> None:
    with partial_folder(tmp_path) as outer, partial_folder(outer) as inner:
        assert find_final_path(inner / "truth" / "a.h5") == str(tmp_path / "truth" / "a.h5")
    for path in ("a/.hidden/b.csv", "tcp://node", str(tmp_path / "files" / "a.partial" / "b")):
        assert find_final_path(path) == path
