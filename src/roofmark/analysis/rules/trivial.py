"""RM515: an output is an input or one value throughout."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM515",
    "an output is an input or one value throughout",
    per="cell",
    moves="invalid",
    fires={"signs": {"copied": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def trivial(signs: dict[str, tuple[str, ...]]) -> str:
    """A wrong output is bit for bit one of the inputs, or every element of it is the same.

    Why it matters: the work was not done. A loose absolute tolerance would let such outputs pass
    where the true ones are small.
    What to do: do the work.
    It cannot be accepted.
    """
    return tell(signs, "copied", "constant")
