from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.jobs.files.result_folder import result_folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def break_off(out: Path, error: type[BaseException], overwrite: bool = False) -> None:
    """Write half a result into the folder handed out, and fail."""
    with result_folder(out, overwrite=overwrite) as partial:
        (partial / "registration.json").write_text("half")
        raise error


def test_files_appear_only_when_all_are_complete(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with result_folder(out) as partial:
        (partial / "registration.json").write_text("{}")
        assert not (out / "registration.json").exists()
    assert names(out) == {"registration.json"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_run_that_breaks_off(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        break_off(tmp_path / "a" / "b", error)
    assert names(tmp_path) == set()


def test_an_earlier_result_survives_a_run_that_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "registration.json").write_text("old")
    with pytest.raises(RuntimeError):
        break_off(tmp_path, RuntimeError, overwrite=True)
    assert (tmp_path / "registration.json").read_text() == "old"


def test_overwriting_removes_earlier_outputs_and_keeps_foreign_files(tmp_path: Path) -> None:
    for name in ("registration.json", "transform.h5", "warped.ome.tiff", "notes.txt"):
        (tmp_path / name).write_text("old")
    with result_folder(tmp_path, overwrite=True) as partial:
        (partial / "registration.json").write_text("new")
    assert names(tmp_path) == {"registration.json", "notes.txt"}
    assert (tmp_path / "registration.json").read_text() == "new"


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("precious")
    with pytest.raises(InputError, match=r"not empty.*--overwrite"), result_folder(tmp_path):
        pytest.fail("the folder was handed out")
    assert names(tmp_path) == {"thesis.docx"}


def test_an_empty_folder_is_taken_and_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), result_folder(tmp_path):
        raise RuntimeError
    assert tmp_path.is_dir()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(InputError, match="is a file"), result_folder(path, overwrite=True):
        pytest.fail("the folder was handed out")
    with pytest.raises(InputError, match="cannot write there"), result_folder(path / "below"):
        pytest.fail("the folder was handed out")


def test_only_folders_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old.png").write_text("")
    names_of_it = {"outputs": ("cases.json",), "folders": ("images",), "overwrite": True}
    with (
        pytest.raises(InputError, match=r"images: a folder that no earlier run left"),
        result_folder(tmp_path, **names_of_it),  # type: ignore[arg-type]
    ):
        pytest.fail("the folder was handed out")
    (tmp_path / "cases.json").write_text("")
    with result_folder(tmp_path, **names_of_it) as partial:  # type: ignore[arg-type]
        (partial / "cases.json").write_text("new")
    assert names(tmp_path) == {"cases.json"}
