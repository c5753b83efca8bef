"""A gzip file that was cut: what comes before the cut is read, and no format calls it complete."""

import gzip
import json
import random
from pathlib import Path

import pytest
from foreign_files import write

from roofmark.errors import ImportFailed
from roofmark.foreign import KernelTable, Partial
from roofmark.importers import read_foreign

DRAWN = random.Random(7)
EVENTS = [
    {"ph": "X", "cat": "kernel", "name": f"k{DRAWN.random()}", "ts": 1, "dur": i}
    for i in range(4000)
]
HEADER = "kernel_symbol,n_calls,total_ms\n"
ROWS = [f"k{DRAWN.random()},2,{i}.125\n" for i in range(4000)]
TRACE = gzip.compress(json.dumps({"traceEvents": EVENTS}).encode(), mtime=0)
TABLE = gzip.compress((HEADER + "".join(ROWS)).encode(), mtime=0)
WHOLE = 4000


def _rows(path: Path) -> tuple[int, tuple[str, ...]]:
    found = read_foreign(path)
    (table,) = found.contents
    assert isinstance(table, KernelTable)
    assert isinstance(found.completeness, Partial)
    return len(table.rows), found.completeness.reasons


@pytest.mark.parametrize("packed", [TRACE, TABLE])
def test_what_comes_before_the_cut_is_kept_and_partial(tmp_path: Path, packed: bytes):
    count, reasons = _rows(write(tmp_path, packed[: len(packed) // 2]))
    assert WHOLE / 4 < count < WHOLE
    assert reasons[0].startswith("the gzip file is cut after ")
    early, _ = _rows(write(tmp_path, packed[: len(packed) // 4]))
    assert early < count


@pytest.mark.parametrize("packed", [TRACE, TABLE])
def test_a_cut_in_the_checksum_alone_is_told_too(tmp_path: Path, packed: bytes):
    count, reasons = _rows(write(tmp_path, packed[:-3]))
    assert count == WHOLE and len(reasons) == 1


def test_a_tool_did_not_fail_where_the_file_is_cut(tmp_path: Path):
    before = json.dumps({"traceEvents": [{**event, "cat": "cpu_op"} for event in EVENTS]})
    packed = gzip.compress(before.encode(), mtime=0)
    with pytest.raises(ImportFailed, match=r"cut after .*no time of a kernel") as raised:
        read_foreign(write(tmp_path, packed[: len(packed) // 2]))
    assert raised.value.code == "RM416"


@pytest.mark.parametrize("packed", [TRACE[:12], TABLE[:-8] + b"damaged!", TABLE[:-8] + TRACE])
def test_damage_and_a_cut_before_any_byte_are_refused(tmp_path: Path, packed: bytes):
    with pytest.raises(ImportFailed, match="gzip") as raised:
        read_foreign(write(tmp_path, packed))
    assert raised.value.code == "RM416"
