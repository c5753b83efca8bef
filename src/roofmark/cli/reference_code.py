"""Two pages of docs/reference/ that are read from the sources: the Python API, and the records.

In: the public names, and the modules whose records a bundle holds. Out: lines of Markdown. Types
and defaults stand as they are written, which is shorter than what Python makes of them.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import roofmark
from roofmark.records import FORMAT

# The modules whose records a bundle's files hold, and what each is about.
_MODULES = {
    "roofmark.bundle_manifest": "manifest.json: the seal",
    "roofmark.study": "study.json: what was asked",
    "roofmark.evidence": "environment.json, run.json, builds/, traces/: what happened",
    "roofmark.stations": "stations/: each device of a fleet",
    "roofmark.profiled": "profiles/: what a profiler saw",
    "roofmark.records": "absence",
}
_SHOWN_ELSEWHERE = ("Trace",)


def api_page() -> Iterator[str]:
    """Yield the page of the public names."""
    yield "# Python"
    yield ""
    yield "What `import roofmark as rm` gives. Nothing heavy is loaded before it is used."
    for name in roofmark.__all__:
        thing = getattr(roofmark, name)
        yield from ("", f"## {name}", "")
        if not callable(thing) and not inspect.isclass(thing):
            fact = f"`{thing!r}`: the value of an axis that each workload binds."
            yield fact if name == "VAR" else f"`{thing!r}`"
            continue
        if name in _SHOWN_ELSEWHERE:
            yield "One solution on one workload in one process; see [records](schema.md#trace)."
            continue
        yield from ("```text", _signature(name, thing), "```", "")
        yield from _paragraphs(inspect.getdoc(thing) or "")


def schema_page() -> Iterator[str]:
    """Yield the page of the records, and of the bundle that is made of them."""
    from roofmark import bundle

    yield "# Records and bundles"
    yield ""
    yield f"A bundle (format {FORMAT}, [what changes it](../format.md)) is a folder of JSON:"
    yield from ("", "```text", _tree(inspect.getdoc(bundle) or ""), "```", "")
    yield "Each file is one of the records below, or one per line (`.jsonl`); unknown fields are"
    yield "errors. Amounts are SI base units: seconds, bytes, hertz, flop. A record that is a case"
    yield "of a union says which in `type`; one marked *as a list* is written as a JSON array."
    for module_name, about in _MODULES.items():
        yield from ("", f"## {about}")
        for node in _records(importlib.import_module(module_name)):
            yield from _record(node)


def _tree(doc: str) -> str:
    lines = [line.strip() for line in doc.splitlines() if line.startswith("    ")]
    return "\n".join(lines)


def _records(module: Any) -> Iterator[ast.ClassDef]:
    for node in ast.parse(inspect.getsource(module)).body:
        bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
        if isinstance(node, ast.ClassDef) and "Record" in bases and node.name[0] != "_":
            yield node


def _record(node: ast.ClassDef) -> Iterator[str]:
    options = {each.arg: ast.unparse(each.value) for each in node.keywords}
    yield from ("", f"### {node.name}", "")
    yield from _paragraphs(ast.get_docstring(node) or "")
    if "tag" in options:
        yield from ("", f"`type`: `{ast.literal_eval(options['tag'])}`.")
    if "array_like" in options:
        yield from ("", "*As a list.*")
    rows = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    if rows:
        yield from ("", "| field | type | default |", "|---|---|---|")
    for row in rows:
        kind = ast.unparse(row.annotation).replace("|", "\\|")
        default = f"`{ast.unparse(row.value)}`" if row.value else ""
        yield f"| `{ast.unparse(row.target)}` | `{kind}` | {default} |"


def _signature(name: str, thing: Any) -> str:
    """Return how it is called, or what a class is made of, as it is written."""
    node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    if isinstance(node, ast.FunctionDef):
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        call = f"{name}({ast.unparse(node.args)}){result}"
        return call if len(call) <= 100 else _folded(name, node, result)
    fields = [each for each in getattr(node, "body", []) if isinstance(each, ast.AnnAssign)]
    lines = [f"    {ast.unparse(each)}" for each in fields]
    return "\n".join([f"class {name}", *lines])


def _folded(name: str, node: ast.FunctionDef, result: str) -> str:
    own = node.args
    plain = [*own.posonlyargs, *own.args]
    first = [ast.unparse(each) for each in plain]
    for number, default in enumerate(reversed(own.defaults), 1):
        first[-number] += f" = {ast.unparse(default)}"
    named = [
        ast.unparse(each) + (f" = {ast.unparse(default)}" if default else "")
        for each, default in zip(own.kwonlyargs, own.kw_defaults, strict=True)
    ]
    parts = [*first, *(["*", *named] if named else [])]
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){result}"])


def _paragraphs(doc: str) -> Iterator[str]:
    """Yield a docstring with its paragraphs kept, and signs that Markdown would take escaped."""
    yield from (line.strip().replace("<", "&lt;").replace("*", "\\*") for line in doc.splitlines())
