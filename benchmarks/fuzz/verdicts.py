"""How a run on a damaged input may end, and how not."""

from __future__ import annotations

from typing import Any

#: What must not happen, in the order in which it is looked for.
FAULTS = ("crash", "hang", "memory", "unexpected", "half file", "wrongly accepted", "foreign words")
#: CPU seconds of a hang.
HANG_S = 20.0
#: Memory beyond what the process needs anyway, in MB.
MOST_MB = 1024
#: Signs of another library's message.
FOREIGN = (
    "Traceback",
    "HDF5-DIAG",
    "Warning:",
    "TiffPage",
    "<tifffile",
    "libpng",
    "object has no attribute",
    "not subscriptable",
    "NoneType",
    "[Errno",
)


def judge(row: dict[str, Any], folder: str, *, must_refuse: bool) -> str:
    """Return the fault of a run, "" for none.

    A refusal is one line of our own with exit code 2 or 3 that names a file, an option or a field.
    Words before it are progress or warnings of ours, each a line.
    """
    said = row["said"]
    # on a slow machine the same line of progress comes again
    lines = list(dict.fromkeys(line for line in said.splitlines() if line.strip()))
    refused = row["code"] in (2, 3)
    last = lines[-1] if lines else ""
    names_place = folder in last or "--" in last or row["code"] == 3
    checks = {
        "crash": row["code"] is None and not row["hung"],
        "hang": row["hung"] or row["cpu_s"] > HANG_S,
        "memory": row["megabytes"] > MOST_MB,
        "unexpected": "please report it" in said or row["code"] == 1,
        "half file": bool(row["left"]),
        "wrongly accepted": must_refuse and row["code"] == 0,
        "foreign words": any(sign in said for sign in FOREIGN)
        or (refused and not (names_place and len(lines) <= 4)),
    }
    return next((name for name in FAULTS if checks[name]), "")
