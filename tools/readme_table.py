"""Make the README's results table from the evidence; with --check, say whether it is current.

python tools/readme_table.py --write
"""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import roofmark as rm
from roofmark.analysis.verdict import Cell
from roofmark.units import show

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "evidence/2026-11-21-gdn-decode-h200"
START, END = "<!-- table: gdn-decode-h200 -->\n", "<!-- end of table -->\n"


def make_table() -> str:
    """Return the table: for each batch size the median over its workloads."""
    verdict = rm.judge(BUNDLE)
    cells: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in verdict.cells:
        cells[cell.workload.split("-")[0], cell.solution].append(cell)
    names = [each.solution for each in verdict.overall if each.role == "solution"]
    lines = [
        "| batch | eager | "
        + " | ".join(f"{n} | against eager" for n in names)
        + " | over floor |",
        "|---|---|" + "---|---|" * len(names) + "---|",
    ]
    for shape in dict.fromkeys(name for name, _ in cells):
        first = cells[shape, names[0]]
        row = [shape.removeprefix("B"), _time(each.baseline_time.value for each in first)]
        for name in names:
            own = cells[shape, name]
            low = min(each.speedup.low for each in own)
            high = max(each.speedup.high for each in own)
            middle = median(each.speedup.value for each in own)
            row += [_time(each.time.value for each in own), f"{middle:.1f}x ({low:.1f}-{high:.1f})"]
        row.append(f"{median(each.roof.headroom for each in cells[shape, names[-1]]):.2f}x")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table, or check it."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    wanted = head + START + make_table() + END + tail
    if "--write" in sys.argv:
        readme.write_text(wanted)
        return 0
    return 0 if wanted == text else 1


def _time(values) -> str:  # noqa: ANN001
    return show(median(values), "s")


if __name__ == "__main__":
    sys.exit(main())
