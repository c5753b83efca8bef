"""llama-bench's forms that are no JSON: SQL statements, CSV and Markdown tables, as rows of text.

In: a foreign file. Out: rows by field name, with their places. SQL is split by the rules of SQL
literals and nothing of it is run; llama-bench itself does not escape a quote in a value, so a
statement that cannot be split is named and left out.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from roofmark.importers.csv_text import read_table
from roofmark.importers.json_text import LARGEST_JSON
from roofmark.importers.reported import Gathered
from roofmark.importers.source import ForeignFile

Rows = list[tuple[str, dict[str, Any]]]
Form = Callable[[ForeignFile, Gathered], Rows]

# Source: sql_printer of llama-bench.cpp; the table was called `test` before it was `llama_bench`.
_INSERT = re.compile(r"INSERT INTO (?:llama_bench|test) \(([\w, ]+)\) VALUES \((.*)\);\s*$")
_INSERTS = re.compile(rb"^INSERT INTO (?:llama_bench|test) \(", re.MULTILINE)
_LITERAL = re.compile(r"\s*(?:'((?:[^']|'')*)'|([-+.\w]+))\s*(,|$)")
_TABLE = re.compile(rb"^\|[^\n]*\|[ \t]*test[ \t]*\|[ \t]*t/s[ \t]*\|", re.MULTILINE)
_BUILD = re.compile(r"^build: (\S+) \((\d+)\)\s*$")
_RATE = re.compile(r"^\s*(\S+)(?:\s*(?:±|\+/-)\s*(\S+))?\s*$")
# Chosen: two numbers and a sign; the pattern's steps grow with the square of the length.
_LONGEST_RATE = 80
# Source: markdown_printer of llama-bench.cpp shortens these names.
_LONG = {
    "ngl": "n_gpu_layers",
    "sm": "split_mode",
    "threads": "n_threads",
    "nkvo": "no_kv_offload",
    "fa": "flash_attn",
    "mmap": "use_mmap",
    "embd": "embeddings",
    "nopo": "no_op_offload",
    "noh": "no_host",
    "dev": "devices",
    "ts": "tensor_split",
    "ot": "tensor_buft_overrides",
    "backend": "backends",
}


def recognises(head: bytes) -> bool:
    """Whether the head is SQL, CSV or Markdown of llama-bench."""
    return form_of(head) is not None


def form_of(head: bytes) -> Form | None:
    """Return the reader of the form that the head has, if it has one of the three."""
    if _INSERTS.search(head) and b"avg_ts" in head:
        return _sql
    if _TABLE.search(head):
        return _markdown
    first = head.split(b"\n", 1)[0]
    if b"avg_ts" in first and b"n_prompt" in first and not first.lstrip().startswith((b"{", b"[")):
        return _csv
    return None


def _csv(file: ForeignFile, gathered: Gathered) -> Rows:
    table = read_table(file)
    gathered.reasons.extend(table.reasons)
    gathered.notes.extend(table.notes)
    return [(f"line {line}", dict(row)) for line, row in table.rows]


def _sql(file: ForeignFile, gathered: Gathered) -> Rows:
    rows: Rows = []
    for place, line in _lines(file):
        if not line.startswith("INSERT INTO"):
            continue
        row = _statement(line)
        if row is None:
            gathered.reasons.append(f"{place}: this INSERT cannot be split into its values")
        else:
            rows.append((place, dict(row)))
    return rows


def _statement(line: str) -> dict[str, str] | None:
    """Return a statement's values by column; None where it is none of llama-bench's."""
    found = _INSERT.match(line)
    if not found:
        return None
    names = [name.strip() for name in found[1].split(",")]
    values: list[str] = []
    at, comma = 0, ","
    while comma:
        literal = _LITERAL.match(found[2], at)
        if not literal or len(values) == len(names):
            return None
        values.append(literal[2] or (literal[1] or "").replace("''", "'"))
        at, comma = literal.end(), literal[3]
    if len(values) != len(names) or len(set(names)) != len(names):
        return None
    return dict(zip(names, values, strict=True))


def _markdown(file: ForeignFile, gathered: Gathered) -> Rows:
    """Return the rows of every table whose header ends in `| test | t/s |`."""
    rows: Rows = []
    header: list[str] = []
    build: dict[str, str] = {}
    for place, line in _lines(file):
        stamp = _BUILD.match(line)
        if stamp:
            build = {"build_commit": stamp[1], "build_number": stamp[2]}
        if not line.startswith("|"):
            header = header if line.strip() == "" else []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[-2:] == ["test", "t/s"]:
            header = [_LONG.get(cell, cell) for cell in cells]
            if len(set(header)) != len(header):
                raise file.malformed(f"{place}: a column stands twice in the header")
        elif header and not set("".join(cells)) <= set("-: "):
            _row(place, header, cells if line.rstrip().endswith("|") else [], rows, gathered)
    if not build:
        gathered.notes.append("No line names the build, so the table may be a part of the output.")
    return [(place, {**row, **build}) for place, row in rows]


def _row(place: str, header: list[str], cells: list[str], rows: Rows, gathered: Gathered) -> None:
    fits = len(cells) == len(header) and len(cells[-1]) <= _LONGEST_RATE
    rate = _RATE.match(cells[-1]) if fits else None
    if not rate:
        gathered.reasons.append(f"{place}: this row does not fit its header")
        return
    row: dict[str, Any] = dict(zip(header, cells, strict=True))
    del row["t/s"]
    row["avg_ts"], row["stddev_ts"] = rate[1], rate[2]
    rows.append((place, row))


def _lines(file: ForeignFile) -> Iterator[tuple[str, str]]:
    for at, line in enumerate(file.text(limit=LARGEST_JSON).split("\n"), 1):
        yield f"line {at}", line.rstrip("\r")
