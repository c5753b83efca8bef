"""The answer to a query as CSV."""

import csv
import io
import re

from roofmark.reports.query_answers import answer_csv


def test_csv_holds_no_command_of_a_ci_system():
    rows = [("::set-output name=x::1", 'a\n::error::b"'), ("##[group]", None), (":", "a::b")]
    text = "".join(answer_csv((("one", "VARCHAR"), ("::two", "VARCHAR")), iter(rows)))
    assert not re.search(r"^\s*\"?::|##\[", text, re.MULTILINE)
    assert list(csv.reader(io.StringIO(text)))[3] == [":", "a::b"]
