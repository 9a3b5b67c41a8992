"""Put the tables of kept rows of `stainbridge benchmark synthesis` into a page.

    python benchmarks/synthesis.py docs/results/synthesis --page docs/results/synthesis.md

They replace what stands between the page's markers: first what translating changes, then all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stainbridge.evaluate.synthesis.ledger import read_rows
from stainbridge.evaluate.synthesis.row import REAL, UNSEEN, SynthesisRow
from stainbridge.evaluate.synthesis.tables import render_markdown, summarise_rows
from stainbridge.whole import whole_file

#: What each table stands between.
EFFECT = ("<!-- effect -->", "<!-- end of effect -->")
TABLES = ("<!-- tables -->", "<!-- end of tables -->")
#: The measures that mean the same in every row: what they are called, and their decimals.
COMPARABLE = {
    "rtre_median": ("Median rTRE", 4),
    "patch_same_stain_ncc": ("NCC of patches in one stain", 3),
    "class_dice": ("Dice of tissue classes", 3),
}


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of benchmark synthesis")
    parser.add_argument("--page", type=Path, required=True, help="the page to write into")
    options = parser.parse_args()
    rows = read_rows(options.folder)
    page = options.page.read_text(encoding="utf-8")
    page = replace_between(page, EFFECT, render_effect(rows))
    page = replace_between(page, TABLES, render_markdown(summarise_rows(rows), "`{}`".format))
    with whole_file(options.page) as temporary:
        temporary.write_text(page, encoding="utf-8")


def replace_between(page: str, markers: tuple[str, str], text: str) -> str:
    """Return the page with `text` between two markers."""
    before, begin, rest = page.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def render_effect(rows: Sequence[SynthesisRow]) -> str:
    """Return how each method does with and without translation, on the same pairs, as Markdown.

    A method that did not run with a translation has a dash there.
    """
    translations = list(dict.fromkeys(row.translation for row in rows))
    summaries = {
        (item.data_set, item.method, item.translation): item
        for item in summarise_rows(keep_shared(rows, translations))
    }
    heads = ("data", "method", "pairs", *map("`{}`".format, translations))
    rule = ("---", "---", *["---:"] * (1 + len(translations)))
    parts = []
    for measure, (title, decimals) in COMPARABLE.items():
        lines = []
        for data_set, method in dict.fromkeys(key[:2] for key in summaries):
            known = {
                name: summary
                for name in translations
                if (summary := summaries.get((data_set, method, name))) is not None
                and measure in summary.means
            }
            if REAL not in known:
                continue
            values = [
                f"{known[name].means[measure]:.{decimals}f}" if name in known else "–"
                for name in translations
            ]
            lines.append((f"`{data_set}`", method, str(known[REAL].cases), *values))
        if not lines:
            continue
        parts.append(f"{title}:\n\n" + "\n".join(write_rows((heads, rule, *lines))) + "\n")
    return "\n".join(parts)


def keep_shared(rows: Iterable[SynthesisRow], translations: Sequence[str]) -> list[SynthesisRow]:
    """Return the rows of the cases that every translation shows."""
    rows = list(rows)
    shown = {row.key[:3] for row in rows if row.status not in UNSEEN}
    return [
        row
        for row in rows
        if all((row.data_set, row.case, name) in shown for name in {REAL, *translations})
    ]


def write_rows(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    return (f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    main()
