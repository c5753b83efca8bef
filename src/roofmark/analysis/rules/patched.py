"""RM510: functions of the harness or of a library were replaced."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM510",
    "functions of the harness or of a library were replaced",
    per="cell",
    moves="invalid",
    fires={"signs": {"patched": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def patched(signs: dict[str, tuple[str, ...]]) -> str:
    """After the solution's code had run, a function was no longer what it was before.

    That is another object, other code, or other first bytes: of a clock, an event, a stream, a
    method of tensors, or a function of the bench.

    Why it matters: whoever replaces a clock decides what it says. Names are compared by identity,
    code objects and, for the C library, the bytes at their address.
    What to do: remove the patch from the candidate, or from the library that it imports.
    It cannot be accepted.
    """
    return tell(signs, "patched")
