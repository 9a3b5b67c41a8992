"""Split a folder of pictures by subject, or write a `pairs.csv` of different subjects.

    python benchmarks/subject_pairs.py split DATA/brain_mr configs/splits/brain_mr.csv
    python benchmarks/subject_pairs.py split DATA/chest_xray configs/splits/chest_xray.csv \\
        --groups DATA/chest_xray/sources.csv --name-column file --group-column url
    python benchmarks/subject_pairs.py pairs DATA/brain_mr brain-test.csv \\
        --split configs/splits/brain_mr.csv --part test --each 2

The folder has `images/`, and `labels/` or `masks/` with the same file names. `evaluate slices`
takes the written table as data.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from stainbridge.datasets.subjects import (
    find_subjects,
    pair_subjects,
    read_groups,
    split_subjects,
    write_subject_pairs,
)
from stainbridge.slides.manifest import read_table
from stainbridge.whole import whole_file


def write_split(arguments: argparse.Namespace) -> None:
    names = find_subjects(arguments.data).names
    groups = {name: name for name in names}
    if arguments.groups is not None:
        columns = (arguments.name_column, arguments.group_column)
        groups = read_groups(arguments.groups, names, *columns)
    parts = split_subjects(groups, arguments.seed)
    with whole_file(arguments.out) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "part"))
        writer.writerows((Path(name).stem, part) for name, part in parts.items())


def write_pairs(arguments: argparse.Namespace) -> None:
    pictures = find_subjects(arguments.data)
    names = pictures.names
    if arguments.split is not None:
        rows = read_table(arguments.split, ("name", "part"))
        part = {row["name"] for row in rows if row["part"] == arguments.part}
        names = tuple(name for name in names if Path(name).stem in part)
    pairs = pair_subjects(names, arguments.each, arguments.seed)
    write_subject_pairs(arguments.out, pictures, pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    split = commands.add_parser("split", help="write a table name,part")
    split.add_argument("--groups", type=Path, help="a table that says what belongs together")
    split.add_argument("--name-column", default="file")
    split.add_argument("--group-column", default="url")
    split.add_argument("--seed", type=int, default=0)
    split.set_defaults(run=write_split)
    pairs = commands.add_parser("pairs", help="write a pairs.csv")
    pairs.add_argument("--split", type=Path, help="a table name,part")
    pairs.add_argument("--part", default="test")
    pairs.add_argument("--each", type=int, default=1, help="pairs for each fixed picture")
    pairs.add_argument("--seed", type=int, help="shuffle the pictures first")
    pairs.set_defaults(run=write_pairs)
    for command in (split, pairs):
        command.add_argument("data", type=Path, help="the folder with images/")
        command.add_argument("out", type=Path, help="the table to write")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
