"""What a process that was killed leaves behind."""

from __future__ import annotations

from pathlib import Path

from stainbridge.partial import FILES, HIDDEN_PREFIX, LOCK, PARTIAL_SUFFIX, name_owner


def leave_partial(folder: Path, owner: str | None = None, number: int = 0) -> Path:
    """Make a half-written file in `folder` that no process owns; return its hidden folder."""
    name = f"{HIDDEN_PREFIX}{owner or name_owner()}-{number:012x}{PARTIAL_SUFFIX}"
    (folder / name / FILES).mkdir(parents=True)
    (folder / name / LOCK).touch()
    (folder / name / FILES / "result.h5").write_text("half")
    return folder / name
