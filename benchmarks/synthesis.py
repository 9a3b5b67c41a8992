"""Put the tables of kept rows of `stainbridge benchmark synthesis` into a page.

    python benchmarks/synthesis.py docs/results/synthesis --page docs/results/synthesis.md

The tables replace what stands between the page's two markers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stainbridge.evaluate.synthesis.ledger import read_rows
from stainbridge.evaluate.synthesis.tables import render_markdown, summarise_rows
from stainbridge.whole import whole_file

#: What the tables stand between.
BEGIN = "<!-- tables -->"
END = "<!-- end of tables -->"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of benchmark synthesis")
    parser.add_argument("--page", type=Path, required=True, help="the page to write into")
    options = parser.parse_args()
    tables = render_markdown(summarise_rows(read_rows(options.folder)), lambda name: f"`{name}`")
    before, _, rest = options.page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    with whole_file(options.page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
