"""Whether an output that is there already is what would be written again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stainbridge.fingerprint import fingerprint
from stainbridge.whole import whole_file

#: What the last bytes of a written slide begin with; TIFF readers do not look behind its pages.
MARK = b"\nstainbridge request "
#: The file of an OME-Zarr that has its attributes, and our entry among them.
ZARR_METADATA = "zarr.json"
ZARR_MARK = "stainbridge-request"

#: Fields of jobs that do not change what is written.
NO_SETTINGS = ("out", "result", "overwrite", "threads", "device")


def holds(path: Path, content: bytes) -> bool:
    """Return whether a file has these bytes."""
    if not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content


def digest_request(request: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a request's plain values, whatever their order."""
    from stainbridge.json_values import to_json_values

    text = json.dumps(to_json_values(dict(request)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_job(job: Any, inputs: Mapping[str, Path | None], **others: Any) -> str:
    """Return the digest of a job's settings and of what its input files hold.

    Where the output goes, and how many threads write it, changes nothing in it.
    """
    settings = {item.name: getattr(job, item.name) for item in fields(job)}
    for name in (*inputs, *NO_SETTINGS):
        settings.pop(name, None)
    files = {
        name: None if path is None or not path.exists() else fingerprint(path)
        for name, path in inputs.items()
    }
    return digest_request({**settings, **others, "files": files, "version": version("stainbridge")})


def mark_request(path: Path, digest: str) -> None:
    """Append a request's digest to the slide that came of it, or to the attributes of a Zarr."""
    if path.is_dir():
        metadata = path / ZARR_METADATA
        node = json.loads(metadata.read_text(encoding="utf-8"))
        node["attributes"][ZARR_MARK] = digest
        with whole_file(metadata) as temporary:
            temporary.write_text(json.dumps(node, indent=2), encoding="utf-8")
        return
    with path.open("ab") as file:
        file.write(MARK + digest.encode())


def came_of(path: Path, digest: str) -> bool:
    """Return whether a slide is complete and came of the request with this digest."""
    if path.is_dir():
        return _read_zarr_mark(path) == digest
    expected = MARK + digest.encode()
    if not path.is_file() or path.stat().st_size < len(expected):
        return False
    with path.open("rb") as file:
        file.seek(-len(expected), os.SEEK_END)
        return file.read() == expected


def _read_zarr_mark(folder: Path) -> str | None:
    """Return the digest in the attributes of a Zarr; None where there is none."""
    try:
        node = json.loads((folder / ZARR_METADATA).read_text(encoding="utf-8"))
        return str(node["attributes"][ZARR_MARK])
    except (OSError, ValueError, LookupError, TypeError):
        return None
