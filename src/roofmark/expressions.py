"""Cost and shape expressions: integer arithmetic over axis names, kept as data.

In: `"2*(2*n*d + d)"` and `{"n": 3, "d": 4}`. Out: an int. A string is stored, hashed and shown;
a closure could be none of these. Only names, integers, `+ - * //` and brackets exist.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
# Chosen: no honest cost needs more; stops a hostile study from computing for ever.
_MAX_LENGTH = 500
_MAX_VALUE = 10**24


def evaluate(expression: str, axes: Mapping[str, int]) -> int:
    """Return the value of `expression` with `axes` filled in.

    Raises: ValueError naming what is not allowed or not defined.
    """
    if len(expression) > _MAX_LENGTH:
        raise ValueError(f"longer than {_MAX_LENGTH} characters")
    try:
        return _walk(_parse(expression), axes)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


# Chosen: a study has some ten expressions and asks each again for every cell.
@lru_cache(maxsize=64)
def _parse(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError("not an arithmetic expression") from error


def _walk(node: ast.expr, axes: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name):
            if name not in axes:
                known = ", ".join(axes) or "none"
                raise ValueError(f"axis {name!r} is not defined (known: {known})")
            return axes[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _apply(op, _walk(left, axes), _walk(right, axes))
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not allowed; use names, integers, + - * //")


def _apply(op: ast.operator, left: int, right: int) -> int:
    if isinstance(op, ast.FloorDiv) and right == 0:
        raise ValueError("division by zero")
    return _bounded(_OPERATORS[type(op)](left, right))


def _bounded(value: int) -> int:
    if abs(value) > _MAX_VALUE:
        raise ValueError(f"a value beyond {_MAX_VALUE:.0e}")
    return value
