"""An output belongs to one run at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.abandoned import leave_partial

from stainbridge.errors import InputError
from stainbridge.jobs.files import claim
from stainbridge.jobs.files.claim import FOLDER_LOCK, claim_file, claim_folder, remove_leftovers
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.locks import LockUnsupportedError
from stainbridge.partial import name_owner


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_second_run_on_a_folder_is_refused_and_others_are_not(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "a"), claim_folder(tmp_path / "b"):
        with (
            pytest.raises(InputError, match=r"a: another run is writing there; got process \d+ on"),
            claim_folder(tmp_path / "a"),
        ):
            pytest.fail("both run")
        (tmp_path / "a" / "x").write_text("")
    assert names(tmp_path / "a") == {"x"}
    assert names(tmp_path) == {"a"}
    with claim_folder(tmp_path / "a"):
        assert names(tmp_path / "a") == {"x", FOLDER_LOCK}


def test_a_second_run_on_a_file_is_refused_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    out = tmp_path / "x.csv"
    with claim_file(out, Inputs(), overwrite=False):
        for other in (out, tmp_path / "link" / "x.csv", tmp_path / "link" / ".." / out):
            with (
                pytest.raises(InputError, match="another run is writing there"),
                claim_file(other, Inputs(), overwrite=True),
            ):
                pytest.fail("both run")
        with claim_file(tmp_path / "y.csv", Inputs(), overwrite=False):
            pass
    assert names(tmp_path) == {"link"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_breaks_off_leaves_no_lock_and_no_folder(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), claim_folder(tmp_path / "a" / "b"):
        raise error
    with pytest.raises(error), claim_file(tmp_path / "x", Inputs(), overwrite=False):
        raise error
    assert names(tmp_path) == set()


def test_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    leave_partial(tmp_path)
    leave_partial(tmp_path / "deep")
    (tmp_path / FOLDER_LOCK).write_text("process 7 on a machine")
    with claim_file(tmp_path / "x", Inputs(), overwrite=False):
        assert len(names(tmp_path)) == 3  # the new lock, the old one, and the folder
    with claim_folder(tmp_path):
        pass
    assert names(tmp_path) == {"deep"}
    assert names(tmp_path / "deep") == set()


def test_an_output_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_late(path: Path) -> object:
        (tmp_path / "x").write_text("another run's")
        return take(path)

    take = claim.take_lock
    monkeypatch.setattr(claim, "take_lock", take_late)
    with (
        pytest.raises(InputError, match="exists already"),
        claim_file(tmp_path / "x", Inputs(), overwrite=False),
    ):
        pytest.fail("it would be replaced")
    assert (tmp_path / "x").read_text() == "another run's"


def test_without_locks_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise LockUnsupportedError(38, "no locks there", str(path))

    monkeypatch.setattr(claim, "take_lock", refuse)
    with claim_folder(tmp_path / "a"):
        (tmp_path / "a" / "x").write_text("")
    assert names(tmp_path / "a") == {"x"}


def test_what_a_run_left_that_was_killed_at_its_very_end_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    with claim_file(out, Inputs(), overwrite=False):
        lock = next(path for path in tmp_path.iterdir() if path.suffix == ".lock")
    out.write_text("done")
    lock.write_text("process 1 on host")
    abandoned = tmp_path / f".stainbridge-{name_owner()}-0123456789ab.partial"
    abandoned.mkdir()
    (abandoned / "owner.lock").write_text("")
    remove_leftovers(out)
    assert list(tmp_path.iterdir()) == [out]
    remove_leftovers(tmp_path / "missing" / "a.csv")
    with claim_file(out, Inputs(), overwrite=True):
        remove_leftovers(out)
        assert lock.exists()
