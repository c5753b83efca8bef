"""How a Python entry wants to be called.

In: the entry's function and what it is given. Out: `Convention`, or BuildError that names what is
missing and what is unknown. Names decide, so that an argument can never land in another's place.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roofmark.bench.proof.errors import BuildError


@dataclass(frozen=True, kw_only=True)
class Convention:
    """positional, keyword: argument names in the order of the call; writes: outputs are passed."""

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    writes: bool


def read_convention(
    function: Callable[..., Any], entry: str, *, taken: Iterable[str], outputs: Iterable[str]
) -> Convention:
    """Return how to call `function`. taken: names of inputs, scalars and params.

    Raises: BuildError unless its parameters are those, with all outputs or with none.
    """
    given = read_parameters(function, entry)
    taken, outputs = tuple(taken), tuple(outputs)
    writes = any(name in outputs for name in given)
    wanted = (*taken, *outputs) if writes else taken
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        raise BuildError(_mismatch(entry, missing, unknown, taken, outputs))
    kinds = {name: parameter.kind for name, parameter in given.items()}
    return Convention(
        positional=tuple(n for n in given if kinds[n] is not inspect.Parameter.KEYWORD_ONLY),
        keyword=tuple(n for n in given if kinds[n] is inspect.Parameter.KEYWORD_ONLY),
        writes=writes,
    )


def chosen(function: Callable[..., Any], entry: str, params: Mapping[str, int]) -> dict[str, int]:
    """Return those params that a function takes by name. Raises: BuildError without a signature."""
    found = _signature(function, entry)
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in found.values()):
        return dict(params)
    return {name: params[name] for name in found if name in params}


def read_parameters(function: Callable[..., Any], entry: str) -> dict[str, inspect.Parameter]:
    """Return the parameters by name. Raises: BuildError when they cannot be told."""
    found = _signature(function, entry)
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    loose = [str(each) for each in found.values() if each.kind in starred]
    if loose:
        raise BuildError(
            f"{entry} takes {', '.join(loose)}; name its parameters as the definition does"
        )
    return found


def _signature(function: Callable[..., Any], entry: str) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError) as error:
        raise BuildError(f"{entry} has no signature that Python can read: {error}") from error


def _mismatch(
    entry: str,
    missing: list[str],
    unknown: list[str],
    taken: tuple[str, ...],
    outputs: tuple[str, ...],
) -> str:
    parts = [f"lacks {', '.join(missing)}"] if missing else []
    parts += [f"has {', '.join(unknown)}, which nobody gives"] if unknown else []
    inputs = ", ".join(taken)
    return (
        f"{entry} {' and '.join(parts)}; it is called with ({inputs}) and returns the outputs, or "
        f"with ({inputs}, {', '.join(outputs)}) and writes them"
    )
