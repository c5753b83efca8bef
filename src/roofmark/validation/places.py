"""Where in study.py each part of a study was written, found without running it.

In: the text of a `study.py`. Out: `Places`. A literal call is found by what it says (a solution by
its name, a tensor by its key); what a loop built is found by the one call in the loop, and where
two calls could be meant, no line is given: a wrong line is worse than none.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

_PARTS = ("Definition", "Study", "Protocol", "Workload", "Solution")


@dataclass(frozen=True)
class Places:
    """Lines by key, such as "Solution:triton" or "Definition.flops", in one file."""

    file: str = ""
    lines: dict[str, int] = field(default_factory=dict[str, int])

    def of(self, place: str, *keys: str) -> str:
        """Return `place` with the line of the first key that is known."""
        for key in keys:
            if key in self.lines:
                return f"{place}, {self.file}:{self.lines[key]}"
        return place


@dataclass(frozen=True)
class Spot:
    """One part of a study on the way down: its path for people, and the keys of its line."""

    places: Places
    path: str = ""
    keys: tuple[str, ...] = ()

    def field(self, record: str, name: str) -> "Spot":
        """Return the spot of a record's field."""
        path = f"{self.path}.{name}" if self.path else name
        return Spot(self.places, path, (f"{record}.{name}", *self.keys))

    def item(self, number: int, name: object) -> "Spot":
        """Return the spot of a list's item, which may have a name."""
        if not isinstance(name, str):
            return Spot(self.places, f"{self.path}[{number}]", self.keys)
        return Spot(
            self.places, f"{self.path}[{number}] {name!r}", (f"Solution:{name}", *self.keys)
        )

    def key(self, key: object) -> "Spot":
        """Return the spot of a mapping's value."""
        return Spot(self.places, f"{self.path}[{key!r}]", (f"key:{key}", *self.keys))

    @property
    def where(self) -> str:
        """The path, with the line of the nearest part that has one."""
        return self.places.of(self.path, *self.keys)


def find_places(text: bytes, file: str) -> Places:
    """Return the lines of everything in a study.py that a problem may be about."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return Places(file)
    found: dict[str, set[int]] = defaultdict(set)
    for node in ast.walk(tree):
        for key, line in _keys(node):
            found[key].add(line)
    return Places(file, {key: next(iter(at)) for key, at in found.items() if len(at) == 1})


def _keys(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield f"key:{key.value}", value.lineno
    part = _called(node)
    if part not in _PARTS or not isinstance(node, ast.Call):
        return
    yield part, node.lineno
    for keyword in node.keywords:
        if keyword.arg:
            yield f"{part}.{keyword.arg}", keyword.value.lineno
    name = _name(node)
    if name:
        yield f"{part}:{name}", node.lineno


def _called(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return ""


def _name(call: ast.Call) -> str:
    """Return a literal name: the first argument, or `name=`."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    for value in (*call.args[:1], *given):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return ""
