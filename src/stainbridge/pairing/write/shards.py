"""Pack the pictures of a set into WebDataset shards: tar files that training streams.

A sample is three consecutive files of one key: `KEY.he.png`, `KEY.ihc.png`, `KEY.json`
(Aizman et al. 2019, "High performance I/O for large scale deep learning").
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from stainbridge.errors import InputError
from stainbridge.json_values import to_json_values
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.source import Split
from stainbridge.pairing.write.columns import COLUMNS, name_picture
from stainbridge.slides.patch_manifest import FIXED_FOLDER, MOVING_FOLDER
from stainbridge.whole import whole_file

#: The folder of the shards.
SHARDS = "shards"
#: The names of shards.
SHARD_NAME = re.compile(r"(train|val|test)-\d{6}\.tar")


def write_shards(out: Path, patches: Sequence[Patch], samples: int) -> list[Path]:
    """Write the kept patches of the set `out` as shards of `samples` each, split by split.

    Samples are in the order of the MD5 of their names, which mixes slides and is always the same.
    The same pictures give the same bytes. Shards of an earlier, larger set are removed. Returns the
    shards. Raises `InputError` for less than one sample a shard.
    """
    check_samples(samples)
    folder = out / SHARDS
    folder.mkdir(exist_ok=True)
    written = []
    for split in get_args(Split):
        own = sorted(
            (patch for patch in patches if patch.is_kept and patch.split == split),
            key=lambda patch: _hash_name(patch.name),
        )
        for number, start in enumerate(range(0, len(own), samples)):
            path = folder / f"{split}-{number:06d}.tar"
            _write_shard(path, out, own[start : start + samples])
            written.append(path)
    for path in folder.iterdir():
        if SHARD_NAME.fullmatch(path.name) and path not in written:
            path.unlink()
    return written


def check_samples(samples: int) -> None:
    """Raise `InputError` for less than one sample a shard."""
    if samples < 1:
        raise InputError("too few samples in a shard", expected="at least 1", got=samples)


def make_key(name: str) -> str:
    """Return the key of a sample: a file's name up to its first dot, so dots are escaped in it."""
    return name.replace("%", "%25").replace(".", "%2E")


def _write_shard(path: Path, out: Path, patches: Sequence[Patch]) -> None:
    with (
        whole_file(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for patch in patches:
            key = make_key(patch.name)
            for ending, folder in (("he", FIXED_FOLDER), ("ihc", MOVING_FOLDER)):
                picture = (out / name_picture(patch, folder)).read_bytes()
                _add(archive, f"{key}.{ending}.png", picture)
            _add(archive, f"{key}.json", _describe(patch))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file that tells neither when nor by whom it was made."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(data))


def _describe(patch: Patch) -> bytes:
    """Return the row of the manifest as JSON; a number that is nan is null."""
    values = {column.name: column.read(patch) for column in COLUMNS}
    return json.dumps(to_json_values(values), ensure_ascii=False).encode("utf-8")


def _hash_name(name: str) -> str:
    return hashlib.md5(name.encode("utf-8"), usedforsecurity=False).hexdigest()
