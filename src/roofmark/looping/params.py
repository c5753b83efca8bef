"""Params in study.py: the literal integers of one solution, found and rewritten in place.

In: the text of a `study.py` and a solution's name. Out: which params stand there as literals, and
the text with other values. Nothing but the digits changes, so what a kept candidate commits is one
file with one line's difference. A param that is computed (a sweep, a variable) has no place to
be written to, and may not change.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from roofmark.errors import StudyError
from roofmark.loading import load_study
from roofmark.records import digest
from roofmark.study import Study


@dataclass(frozen=True, slots=True)
class _Literal:
    """An integer's place in the text: bytes from `start` to `end`."""

    value: int
    start: int
    end: int


def find_params(text: str, solution: str) -> dict[str, int]:
    """Return the params that the text gives to a solution as literal integers."""
    return {name: found.value for name, found in _literals(text, solution).items()}


def rewrite_params(text: str, solution: str, params: Mapping[str, int]) -> str:
    """Return the text with these values in place. Raises: KeyError for one that is no literal."""
    data, literals = text.encode(), _literals(text, solution)
    places = sorted(((literals[n], v) for n, v in params.items()), key=lambda p: -p[0].start)
    for place, value in places:
        if place.value != value:
            data = data[: place.start] + str(value).encode() + data[place.end :]
    return data.decode()


def find_misfit(path: Path, expected: Study) -> str:
    """Return why a rewritten study.py does not say what will be measured, or nothing."""
    try:
        same = digest(load_study(path).study) == digest(expected)
    except StudyError as error:
        return f"{path.name} cannot say these params: {error}"
    return "" if same else f"{path.name} with these params is more than these params"


def _literals(text: str, solution: str) -> dict[str, _Literal]:
    """Return name -> literal of the one call that makes this solution; nothing if there are two."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    starts = _line_starts(text.encode())
    calls = [node for node in ast.walk(tree) if _makes(node, solution)]
    return dict(_integers(calls[0], starts)) if len(calls) == 1 else {}


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _makes(node: ast.AST, solution: str) -> bool:
    """Whether a node is `Solution("name", ...)`, under whatever import."""
    match node:
        case ast.Call(func=ast.Attribute(attr="Solution") | ast.Name(id="Solution")):
            named = [k.value for k in node.keywords if k.arg == "name"]
            said = [v.value for v in (*node.args[:1], *named) if isinstance(v, ast.Constant)]
            return said == [solution]
        case _:
            return False


def _integers(call: ast.AST, starts: list[int]) -> Iterator[tuple[str, _Literal]]:
    assert isinstance(call, ast.Call)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "params"]
    for each in given:
        if isinstance(each, ast.Dict):
            for key, value in zip(each.keys, each.values, strict=True):
                name = key.value if isinstance(key, ast.Constant) else None
                number = _integer(value)
                if isinstance(name, str) and number is not None:
                    yield name, _literal(value, number, starts)


def _integer(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return None
    return value if type(value) is int else None


def _literal(node: ast.expr, value: int, starts: list[int]) -> _Literal:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return _Literal(
        value,
        starts[node.lineno - 1] + node.col_offset,
        starts[node.end_lineno - 1] + node.end_col_offset,
    )
