"""RM513: an output was not written, or not in time."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM513",
    "an output was not written, or not in time",
    per="cell",
    moves="invalid",
    fires={"signs": {"unwritten": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def unwritten(signs: dict[str, tuple[str, ...]]) -> str:
    """Wrong elements still hold what the referee had put there before the call.

    Why it matters: the work was skipped, or it goes on in a thread or on a stream that the call
    does not wait for.
    What to do: wait within the call for whatever it starts; make the stream that was current at
    its beginning wait for streams of its own.
    It cannot be accepted.
    """
    return tell(signs, "unwritten", "late")
