"""What the world does to a run, in one line: memory, disks, permissions, names, streams."""

from __future__ import annotations

import errno
import os
import re
import sys
from itertools import pairwise
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.partial import find_final_path
from stainbridge.regular import check_regular
from stainbridge.whole import WRITING

#: What libraries say when memory runs out, and the bytes that they wanted where they say so.
OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|unable to allocate|failed to allocate|bad_alloc"
    r"|insufficient memory|cannot allocate memory",
    re.IGNORECASE,
)
WANTED = (
    re.compile(r"(?:[Uu]nable to allocate|[Tt]ried to allocate) ([\d.]+ [KMGTPEZY]?i?B)"),
    re.compile(r"(?:tried to allocate|[Ff]ailed to allocate) (\d+) bytes"),
)
#: What Python says where the system starts no more threads.
NO_THREAD = re.compile(r"can't start new thread")
#: A name in a text, such as a table, that has bytes which are no text.
UNDECODED = re.compile("[^\\s,;\"']*[\udc80-\udcff][^\\s,;\"']*")
#: What to do about an empty value.
UNSET = "give one; is a variable of the script unset?"
#: What Python says where no folder takes temporary files.
NO_TEMPORARY_FOLDER = "No usable temporary directory"
#: What torch says when a process that prepares samples is ended from outside.
LOST_WORKER = re.compile(r"DataLoader worker \(pid.*(is killed by signal|exited unexpectedly)")
#: What to do about an error of the operating system.
REMEDIES = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
    errno.EROFS: "write elsewhere",
    errno.ENAMETOOLONG: "use a shorter name: a part of a path has 255 bytes at most",
    errno.ELOOP: "check where the link leads",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENFILE: "close other programs",
    errno.EIO: "check the disk",
}


def explain_failure(error: BaseException) -> InputError | None:
    """Return an error that is no bug as a line for the user, None for what may be a bug.

    Libraries wrap such errors in their own: what caused those counts.
    """
    failure = _explain_one(error)
    if failure is None and error.__cause__ is not None:
        return explain_failure(error.__cause__)
    return failure


def _explain_one(error: BaseException) -> InputError | None:
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))
    ):
        return _explain_memory(str(error))
    if isinstance(error, RuntimeError) and LOST_WORKER.search(str(error)):
        return InputError(
            "a process that prepares samples was ended from outside",
            where="--workers",
            got="most often missing memory",
            remedy="go on with --resume and fewer workers, such as --workers 0",
        )
    if isinstance(error, RuntimeError) and NO_THREAD.search(str(error)):
        return InputError(
            "the system starts no more threads",
            got="its limit, or missing memory",
            remedy="use fewer with --threads or OMP_NUM_THREADS, or raise ulimit -u",
        )
    if isinstance(error, UnicodeError):
        name = UNDECODED.search(str(getattr(error, "object", "")))
        if name is not None:
            return _refuse_name(name.group())
    if isinstance(error, OSError) and NO_TEMPORARY_FOLDER in str(error):
        return InputError(
            "no folder takes temporary files",
            where="TMPDIR",
            remedy="set it to a folder that can be written",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return InputError(
            os.strerror(error.errno) if error.errno > 0 else str(error.strerror),
            where=_find_place(error),
            remedy=REMEDIES.get(error.errno, ""),
        )
    return None


def _find_place(error: OSError) -> str:
    """Return the file that an error of the system names, else where it comes from.

    What is written has a name, but on standard output: see `name_output`.
    """
    if error.filename:
        return find_final_path(error.filename)
    return "standard output" if error.errno in (*WRITING, errno.EPIPE) else "a file"


def check_working_folder() -> None:
    """Raise `InputError` where the working folder was removed: relative names lead nowhere."""
    try:
        os.getcwd()  # noqa: PTH109 - a `Path` would do no more
    except FileNotFoundError:
        raise InputError(
            "the working folder is no longer there", where=".", remedy="change to another folder"
        ) from None


def check_names(arguments: list[str]) -> None:
    """Raise `InputError` for arguments that must not be opened.

    These are empty names, as unset variables of a script give; names with bytes that are no text in
    this locale, at which some libraries end the process; and inputs that are pipes or devices,
    which may never end.
    """
    for before, argument in pairwise(("", *arguments)):
        if not argument:
            raise InputError("an empty value", where=before or "stainbridge", remedy=UNSET)
        if before != "--out":  # the rule for outputs is the jobs' own
            for name in argument.split(","):
                check_regular(Path(name))
        if UNDECODED.search(argument):
            raise _refuse_name(argument)


def _refuse_name(name: object) -> InputError:
    shown = str(name).encode("utf-8", "backslashreplace").decode()
    encoding = sys.getfilesystemencoding()
    if encoding.lower() not in ("utf-8", "utf8"):
        return InputError(
            "the locale has no such letters",
            where=shown,
            got=encoding,
            remedy="set LC_ALL=C.UTF-8 or PYTHONUTF8=1",
        )
    return InputError("the name is not UTF-8", where=shown, remedy="rename the file or folder")


def _explain_memory(message: str) -> InputError:
    found = [match.group(1) for pattern in WANTED if (match := pattern.search(message))]
    wanted = found[0] if found else None
    if wanted is not None and wanted.isdigit():
        wanted = format_bytes(int(wanted))
    free = _read_free_bytes()
    return InputError(
        "not enough memory",
        expected=None if wanted is None else f"{wanted} more",
        got=None if free is None else f"{format_bytes(free)} free",
        remedy="work at a coarser pixel size, on smaller tiles or on fewer at a time",
    )


def _read_free_bytes() -> int | None:
    """Return the memory that is free, within the process's own limit; None where it is unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    amounts = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.split()}
    free = amounts.get("MemAvailable")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if free is None or limit == resource.RLIM_INFINITY:
        return free
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return max(0, min(free, limit - used * resource.getpagesize()))


def format_bytes(count: float) -> str:
    """Return a number of bytes in words: 1.5 GiB."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = 0
    while count >= 1024 and power < len(units) - 1:
        count /= 1024
        power += 1
    return f"{count:.3g} {units[power]}"
