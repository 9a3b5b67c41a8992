"""Read the manifest of blocks: a CSV with a row for each slide."""

from __future__ import annotations

from pathlib import Path

from stainbridge.cohort.blocks.block import Block, BlockSlide
from stainbridge.cohort.init import BLOCK_COLUMNS, REFERENCE
from stainbridge.cohort.manifest import parse_flag
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.manifest import (
    TableRow,
    check_columns,
    check_id,
    find_row_file,
    parse_mpp,
    read_header,
    read_table,
)

#: The columns that a manifest must have, and those that it may have.
REQUIRED = ("block", "slide", "stain")
FILES = ("mask", "landmarks", "annotations")
COLUMNS = (*BLOCK_COLUMNS, "mpp", "write_slide", *FILES)


def is_block_manifest(path: Path) -> bool:
    """Return whether a table is one of blocks: it has a column `block`."""
    return path.is_file() and "block" in read_header(path)


def read_blocks(path: Path) -> tuple[Block, ...]:
    """Return the blocks of a manifest, in its order, with absolute paths.

    Files are relative to the manifest's folder. A block without a reference takes its first slide.

    Raises:
        InputError: Unknown or missing columns, two slides of one stain or two references in a
            block, a block of one slide, values that cannot be used.
        MissingFileError: The manifest or a file that it names does not exist.

    """
    if not path.is_file():
        raise MissingFileError("no such file", where=path)
    table = path.absolute()
    check_columns(path, read_header(path), COLUMNS)
    slides: dict[str, list[BlockSlide]] = {}
    references: dict[str, str] = {}
    for number, row in enumerate(read_table(path, REQUIRED), 1):
        where = f"{path}, row {number}"
        slide = _make_slide(row, table, where)
        block = row["block"]
        check_id(block, where)
        slides.setdefault(block, []).append(slide)
        if _is_reference(row, where):
            if block in references:
                raise InputError("a block has two references", where=where, got=f"block {block}")
            references[block] = slide.name
    return tuple(_make_block(name, found, references, path) for name, found in slides.items())


def _make_slide(row: TableRow, table: Path, where: str) -> BlockSlide:
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"no {name}", where=where)
    check_id(row["stain"], where)
    slide = BlockSlide(
        name=row["stain"],
        path=find_row_file(table, row["slide"]),
        mpp=parse_mpp(row["mpp"], f"{where}: mpp") if row.get("mpp") else None,
        write_slide=parse_flag(row.get("write_slide", ""), f"{where}: write_slide"),
        **{name: find_row_file(table, row[name]) for name in FILES if row.get(name)},
    )
    for name, file in slide.list_files().items():
        if not (file.is_file() or file.is_dir()):
            raise InputError("not a regular file or folder", where=where, got=f"{name} {file}")
    return slide


def _is_reference(row: TableRow, where: str) -> bool:
    role = row.get("role", "")
    if role not in ("", REFERENCE):
        raise InputError("no such role", where=where, expected=f"{REFERENCE}, or nothing", got=role)
    return role == REFERENCE


def _make_block(
    name: str, slides: list[BlockSlide], references: dict[str, str], path: Path
) -> Block:
    """Return the block with its reference first."""
    if len(slides) < 2:
        raise InputError("a block of one slide", where=path, got=name)
    seen: set[str] = set()
    for slide in slides:
        if slide.name.lower() in seen:
            raise InputError(
                f"two slides of block {name} have one stain",
                where=path,
                got=slide.name,
                remedy="tell them apart, such as er-1 and er-2",
            )
        seen.add(slide.name.lower())
    reference = references.get(name, slides[0].name)
    return Block(name, tuple(sorted(slides, key=lambda slide: slide.name != reference)))
