"""Files appear whole or not at all, whatever goes wrong while they are written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.partial import partial_folder
from stainbridge.whole import WRITING, name_output, whole_file, whole_folder


def test_the_file_appears_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "result.ome.tiff"
    with whole_file(path) as temporary:
        temporary.write_text("done")
        assert not path.exists()
        assert path.parent in temporary.parents
        assert temporary.name == path.name
    assert path.read_text() == "done"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, error: BaseException) -> None:
    """Write half of a file and break off with `error`."""
    with whole_file(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize(
    "error", [ValueError("bad"), KeyboardInterrupt(), SystemExit(3), OSError("no number")]
)
def test_whatever_breaks_off_leaves_nothing_and_is_passed_on(
    tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        write_half(tmp_path / "result.h5", error)
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "result.h5"
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InputError, match=r"result\.h5: could not write: No space left") as caught:
        write_half(path, full)
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_cannot_be_read_meanwhile_is_named_itself(tmp_path: Path) -> None:
    refused = PermissionError(errno.EACCES, "no", str(tmp_path / "slide.svs"))
    with pytest.raises(PermissionError) as caught:
        write_half(tmp_path / "result.h5", refused)
    assert caught.value is refused


def test_what_is_written_in_a_hidden_folder_is_named_as_it_will_be(tmp_path: Path) -> None:
    with partial_folder(tmp_path) as hidden, pytest.raises(InputError) as caught:
        write_half(hidden / "result.h5", OSError(errno.ENOSPC, "full"))
    assert caught.value.where == str(tmp_path / "result.h5")


@pytest.mark.parametrize("number", WRITING)
def test_an_error_of_writing_without_a_name_names_the_output(number: int) -> None:
    with pytest.raises(OSError, match=r"result") as caught, name_output(Path("result")):
        raise OSError(number, "full")
    assert (caught.value.errno, caught.value.filename) == (number, "result")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full", "elsewhere"),
        OSError(errno.EIO, "of a disk that is read"),
        OSError("no number"),
    ],
)
def test_other_errors_keep_their_name(error: OSError) -> None:
    with pytest.raises(OSError, match=r"full|disk|number") as caught, name_output(Path("result")):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error", [ValueError("bad"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")]
)
def test_what_was_there_before_stays_until_the_new_is_whole(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises((type(error), InputError)):
        write_half(path, error)
    assert path.read_text() == "old"
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"absent: no such folder; create it first"),
        whole_file(tmp_path / "absent" / "a"),
    ):
        pytest.fail("the block must not run")


def test_a_folder_in_the_way_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "result"
    (path / "inner").mkdir(parents=True)
    with pytest.raises(InputError, match="result: could not write"), whole_file(path) as temporary:
        temporary.write_text("new")
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "inner").is_dir()


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (Path("/dev/null"), tmp_path / "link"):
        with pytest.raises(InputError, match="not a regular file"), whole_file(path):
            pytest.fail("the block must not run")


def fill_half(path: Path, error: BaseException) -> None:
    """Fill half of a folder and break off with `error`."""
    with whole_folder(path) as temporary:
        (temporary / "half").write_text("")
        raise error


def test_a_folder_replaces_what_was_there_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    for name in ("first", "second"):
        with whole_folder(path) as temporary:
            assert list(temporary.iterdir()) == []
            (temporary / name).write_text("")
        assert [entry.name for entry in path.iterdir()] == [name]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with whole_folder(path) as temporary:
        (temporary / "third").write_text("")
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere" / "second").exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zarr", "elsewhere"]


@pytest.mark.parametrize(
    "error", [ValueError("bad"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")]
)
def test_a_folder_that_breaks_off_leaves_the_old_one(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / "old").write_text("")
    with pytest.raises(InputError if isinstance(error, OSError) else type(error)):
        fill_half(path, error)
    assert list(tmp_path.rglob("*")) == [path, path / "old"]


def test_the_old_folder_comes_back_where_the_new_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / "old").write_text("")
    rename = Path.rename

    def refuse_new(source: Path, target: Path) -> Path:
        if source.name == "new":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(InputError, match="could not write"), whole_folder(path):
        pass
    assert list(tmp_path.rglob("*")) == [path, path / "old"]
