"""How a Python entry wants to be called.

In: the entry's function and the definition. Out: `Convention`, or BuildError that names what is
missing and what is unknown. Names decide, so that an argument can never land in another's place.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from roofmark.bench.proof.errors import BuildError
from roofmark.study import Definition


@dataclass(frozen=True, kw_only=True)
class Convention:
    """positional, keyword: argument names in the order of the call; writes: outputs are passed."""

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    writes: bool


def read_convention(function: Callable[..., Any], definition: Definition, entry: str) -> Convention:
    """Return how to call `function`.

    Raises: BuildError unless its parameters are inputs and scalars, with all outputs or with none.
    """
    given = _parameters(function, entry)
    taken = (*definition.inputs, *definition.scalars)
    writes = any(name in definition.outputs for name in given)
    wanted = (*taken, *definition.outputs) if writes else taken
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        raise BuildError(_mismatch(entry, missing, unknown, definition))
    kinds = {name: parameter.kind for name, parameter in given.items()}
    return Convention(
        positional=tuple(n for n in given if kinds[n] is not inspect.Parameter.KEYWORD_ONLY),
        keyword=tuple(n for n in given if kinds[n] is inspect.Parameter.KEYWORD_ONLY),
        writes=writes,
    )


def _parameters(function: Callable[..., Any], entry: str) -> dict[str, inspect.Parameter]:
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError) as error:
        raise BuildError(f"{entry} has no signature that Python can read: {error}") from error
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    loose = [str(each) for each in found.values() if each.kind in starred]
    if loose:
        raise BuildError(
            f"{entry} takes {', '.join(loose)}; name its parameters as the definition does"
        )
    return found


def _mismatch(entry: str, missing: list[str], unknown: list[str], definition: Definition) -> str:
    parts = [f"lacks {', '.join(missing)}"] if missing else []
    parts += [f"has {', '.join(unknown)}, which the definition does not know"] if unknown else []
    inputs = ", ".join((*definition.inputs, *definition.scalars))
    return (
        f"{entry} {' and '.join(parts)}; definition {definition.name!r} calls it with ({inputs}) "
        f"and takes what it returns, or with ({inputs}, {', '.join(definition.outputs)}) and lets "
        "it write the outputs"
    )
