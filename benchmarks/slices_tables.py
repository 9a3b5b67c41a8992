"""Write the tables of docs/results/slices.md from the rows that are kept beside it.

    python benchmarks/slices_tables.py docs/results/slices.md
    python benchmarks/slices_tables.py docs/results/slices.md --keep scores allen_slices

Below `<!-- table: NAME -->` stands the table of `slices/NAME/rows.csv`, up to `<!-- end -->`.
`--keep` first copies rows and setup of a folder of `evaluate slices` there, under that name.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from stainbridge.evaluate.slices.ledger import ROWS, SETUP
from stainbridge.evaluate.slices.row import read_rows
from stainbridge.evaluate.slices.summary import summarise_slices
from stainbridge.evaluate.slices.tables import format_markdown, make_tables

#: The part of a page that a table replaces.
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.+-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_page(text: str, folder: Path) -> str:
    """Return a page with its tables made anew from the rows in `folder`."""

    def fill(block: re.Match[str]) -> str:
        rows = read_rows(folder / block["name"] / ROWS)
        tables = make_tables(summarise_slices(rows))
        several = len(tables) > 1
        parts = [
            f"{table.data_set}:\n\n{format_markdown(table)}" if several else format_markdown(table)
            for table in tables
        ]
        return f"{block[1]}\n" + "\n\n".join(parts) + f"\n\n{block[3]}"

    return BLOCK.sub(fill, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--keep", nargs=2, metavar=("DIR", "NAME"))
    arguments = parser.parse_args()
    folder = arguments.page.with_suffix("")
    if arguments.keep is not None:
        source, name = arguments.keep
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file in (ROWS, SETUP):
            shutil.copyfile(Path(source) / file, folder / name / file)
    text = arguments.page.read_text(encoding="utf-8")
    arguments.page.write_text(fill_page(text, folder), encoding="utf-8")


if __name__ == "__main__":
    main()
