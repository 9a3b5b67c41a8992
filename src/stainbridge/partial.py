"""Hidden folders for what is half-written: whose they are, and which belong to nobody any more.

Such a folder is named after the host, the boot of its kernel and a random number, and its owner
holds a lock in it. A process id says too little: in a container the same one returns.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.locks import LockUnsupportedError, release_lock, take_lock

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: How the hidden files and folders of stainbridge begin.
HIDDEN_PREFIX = ".stainbridge-"
#: How folders of what is half-written end.
PARTIAL_SUFFIX = ".partial"
#: Names in such a folder: the owner's lock, and what is half-written.
LOCK = "owner.lock"
FILES = "files"
#: The hidden folder in a path of what is half-written in it.
HIDDEN_FOLDER = re.compile(
    rf"{re.escape(HIDDEN_PREFIX)}[^/\\]*{re.escape(PARTIAL_SUFFIX)}[/\\]({FILES}[/\\])?"
)
#: Seconds after which what another host has left is old: longer than any run.
OLD_S = 14 * 24 * 3600.0
#: Where Linux keeps a random number that changes with every boot.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Tries to make a folder that no cleaner takes away at once.
TRIES = 20


@contextmanager
def partial_folder(parent: Path) -> Iterator[Path]:
    """Provide an empty hidden folder within `parent`, and remove it with all that is in it.

    A process that is killed leaves it; `remove_abandoned` removes it then. Raises `OSError` when it
    cannot be made.
    """
    folder, lock = _make_folder(parent)
    try:
        (folder / FILES).mkdir()
        yield folder / FILES
    finally:
        if os.name == "nt":  # an open file cannot be removed there
            release_lock(lock)
        shutil.rmtree(folder, ignore_errors=True)
        release_lock(lock)


def remove_abandoned(folder: Path, *, deep: bool = False) -> None:
    """Remove the half-written of processes that are gone, from a folder or also from all in it.

    A lock that is held is never touched. Where it is free, what this kernel or an earlier boot of
    this host has left is removed at once, and what other hosts have left when it is old.
    """
    if not folder.is_dir():
        return
    pattern = f"{HIDDEN_PREFIX}*{PARTIAL_SUFFIX}"
    for partial in sorted(folder.rglob(pattern) if deep else folder.glob(pattern)):
        if partial.is_dir() and not partial.is_symlink():
            _remove_if_abandoned(partial)


def find_final_path(path: Path | str) -> str:
    """Return where a half-written file will lie: its path without the hidden folder."""
    return HIDDEN_FOLDER.sub("", str(path))


def holds_files(folder: Path) -> bool:
    """Return whether a folder exists and holds anything that is not hidden."""
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def name_owner() -> str:
    """Return what tells this host and boot from others, as it stands in names."""
    return f"{_host()}-{_boot()}"


def _make_folder(parent: Path) -> tuple[Path, BaseFileLock | None]:
    """Return a new folder and its lock, which is held; None where there are no locks."""
    for _ in range(TRIES):
        folder = parent / f"{HIDDEN_PREFIX}{name_owner()}-{secrets.token_hex(6)}{PARTIAL_SUFFIX}"
        folder.mkdir()
        try:
            lock = take_lock(folder / LOCK)
        except LockUnsupportedError:
            return folder, None
        except FileNotFoundError:
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if lock is not None and (folder / LOCK).exists():
            return folder, lock
        release_lock(lock)  # a cleaner came between
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(parent))


def _remove_if_abandoned(partial: Path) -> None:
    try:
        lock = take_lock(partial / LOCK)
    except OSError:  # no locks there, or not ours to open: only its age can tell
        if _is_old(partial):
            shutil.rmtree(partial, ignore_errors=True)
        return
    if lock is None:
        return
    is_removable = _is_of_this_host(partial) or _is_old(partial)
    if os.name == "nt":
        release_lock(lock)
    if is_removable:
        shutil.rmtree(partial, ignore_errors=True)
    release_lock(lock)


def _is_of_this_host(partial: Path) -> bool:
    """Return whether a process of this kernel, or of an earlier boot of this host, made it."""
    host, boot, *_ = (partial.name.removeprefix(HIDDEN_PREFIX) + "--").split("-")
    return boot == _boot() or host == _host()


def _is_old(partial: Path) -> bool:
    try:
        return time.time() - partial.stat().st_mtime > OLD_S
    except OSError:  # another cleaner was faster
        return False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "", platform.node())[:24] or "host"


def _boot() -> str:
    """Return eight digits of the boot's random number; zeros where the system has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii")[:8]
    except (OSError, ValueError):
        return "0" * 8
