"""RM514: an output is that of another call."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM514",
    "an output is that of another call",
    per="cell",
    moves="invalid",
    fires={"signs": {"replayed": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def replayed(signs: dict[str, tuple[str, ...]]) -> str:
    """A wrong output equals, bit for bit, what an earlier call with other values had to give.

    Why it matters: a result was kept, by address, by shape, by a counter or by a look at few
    values, and handed out again.
    What to do: remove the cache, or key it on nothing that values can change behind its back:
    plans may be kept, results may not.
    It cannot be accepted.
    """
    return tell(signs, "replayed")
