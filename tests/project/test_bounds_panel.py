"""The recorded panel: bounds by times alone against bounds with counters."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks/bounds"
# Why each differs stands in docs/bounds.md.
DIFFER = {"softmax of 256 MiB", "copy 8 MiB in L2", "naive transpose"}


def test_times_and_counters_name_the_same_bound_but_where_the_page_explains_it():
    done = subprocess.run(
        [sys.executable, "panel.py", "compare", "h200/panel.json", "h200/panel.csv"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    *rows, total = done.stdout.splitlines()
    assert total == "19 of 22 agree"
    assert {row[7:41].strip() for row in rows if row.startswith("DIFFER")} == DIFFER
    page = (FOLDER.parents[1] / "docs/bounds.md").read_text()
    assert all(name in page for name in DIFFER) and total in page
