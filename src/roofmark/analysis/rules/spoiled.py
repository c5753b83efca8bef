"""RM512: it wrote into memory of others."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM512",
    "it wrote into memory of others",
    per="cell",
    moves="invalid",
    fires={"signs": {"spoiled": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def spoiled(signs: dict[str, tuple[str, ...]]) -> str:
    """While it alone was running, memory changed that belongs to other workers.

    Why it matters: it makes others wrong or slow, or it writes past the end of its own tensors.
    What it changed was put back before the others went on.
    What to do: check the bounds of its writes; compute-sanitizer and AddressSanitizer name the
    line.
    It cannot be accepted.
    """
    return tell(signs, "spoiled")
