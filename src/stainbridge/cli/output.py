"""What a command prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stainbridge.cli.failures import format_bytes
from stainbridge.cli.streams import lead_nowhere


def say(message: str) -> None:
    """Print one line on standard error; where that cannot be written, nobody is there to read."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        lead_nowhere(sys.stderr)


def describe_written(path: Path, seconds: float) -> str:
    """Return what was written in one line: path, size and seconds."""
    files = path.rglob("*") if path.is_dir() else (path,)
    size = sum(file.stat().st_size for file in files if file.is_file())
    return f"written: {path} ({format_bytes(size)}, {seconds:.1f} s)"


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; numbers that are not finite become null."""
    from stainbridge.json_values import format_json

    print(format_json(dict(result)))


def is_attended() -> bool:
    """Return whether a person sits before a screen.

    That is: a terminal, no CI, and a display where the system needs one named.
    """
    display = (
        sys.platform in ("win32", "darwin")
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and "CI" not in os.environ and bool(display)
