"""RM516: an output has the error of a narrower format."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM516",
    "an output has the error of a narrower format",
    per="cell",
    moves="invalid",
    fires={"signs": {"rounded": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def rounded(signs: dict[str, tuple[str, ...]]) -> str:
    """A wrong output differs from the reference by as much as rounding to a narrower format does.

    The output is float32 or float64, the format bfloat16, float16 or TF32, of one operand or more.

    Why it matters: less precision is less work: it is another operator than the one that the
    tolerance asks for.
    What to do: compute in the format that is asked for (torch.backends.cuda.matmul.allow_tf32 is
    a common reason), or argue for a wider tolerance in the study.
    It cannot be accepted.
    """
    return tell(signs, "rounded")
