"""README table: make the READMEs' results tables from the evidence, or check them.

In: README.md, those under studies/, and the bundles. Out: with --write, every table between its
markers made again; without, exit code 1 and the file's name where one is not current.

python tools/readme_table.py --write
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from study_tables import GDN, TABLES, judged, known

from roofmark.analysis.verdict import Cell
from roofmark.units import show

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->\n)", re.DOTALL)


def gdn_decode() -> str:
    """Return the table: for each batch size the median over its workloads."""
    verdict = judged(GDN)
    cells: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in verdict.cells:
        cells[cell.workload.split("-")[0], cell.solution].append(cell)
    names = [each.solution for each in verdict.overall if each.role == "solution"]
    lines = [
        "| batch | eager | "
        + " | ".join(f"{n} | against eager" for n in names)
        + " | cuda over floor |",
        "|---|---|" + "---|---|" * len(names) + "---|",
    ]
    for shape in dict.fromkeys(name for name, _ in cells):
        first = cells[shape, names[0]]
        row = [shape.removeprefix("B"), _time(known(each.baseline_time).value for each in first)]
        for name in names:
            own = cells[shape, name]
            low = min(known(each.speedup).low for each in own)
            high = max(known(each.speedup).high for each in own)
            middle = median(known(each.speedup).value for each in own)
            row += [
                _time(known(each.time).value for each in own),
                f"{middle:.1f}x ({low:.1f}-{high:.1f})",
            ]
        over = median(known(each.roof).headroom for each in cells[shape, "cuda"])
        row.append(f"{over:.2f}x")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def fill(text: str) -> str:
    """Return the text with every table made again. Raises: ValueError for an unknown table."""
    tables = TABLES | {"gdn-decode-h200": gdn_decode}

    def made(found: re.Match[str]) -> str:
        if found[2] not in tables:
            raise ValueError(f"no table is called {found[2]!r}; there are {', '.join(tables)}")
        return found[1] + tables[found[2]]() + found[3]

    return MARKED.sub(made, text)


def main() -> int:
    """Write the tables, or check them."""
    stale = []
    for readme in (ROOT / "README.md", *sorted(ROOT.glob("studies/**/README.md"))):
        text = readme.read_text()
        wanted = fill(text)
        if "--write" in sys.argv:
            readme.write_text(wanted)
        elif wanted != text:
            stale.append(str(readme.relative_to(ROOT)))
    if stale:
        print(f"not current: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


def _time(values: Iterable[float]) -> str:
    return show(median(values), "s")


if __name__ == "__main__":
    sys.exit(main())
