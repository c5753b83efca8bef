"""RM603: the end is made of few tokens."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import FEWEST, Output
from roofmark.records import Missing

# Source: a gate in the field looks at the last 32 tokens and wants a quarter of them, at least 2
# and at most 8, to be different.
WINDOW = 32
LEAST, MOST = 2, 8


@rule(
    "RM603",
    "few different tokens at the end",
    per="output",
    moves="invalid",
    fires={"output": Output(tokens=(*range(40), *((11, 12, 13) * 11)))},
    silent={"output": Output(tokens=tuple(i % 8 for i in range(64)))},
)
def output_few_tokens(output: Output) -> str | Missing:
    """The last 32 tokens hold fewer than 8 different ones (a quarter of them, at least 2).

    Where the text was kept, too, rows of numbers are forgiven: an end of 32 visible characters
    without a letter, a quarter of them digits.

    Why it matters: a model that fell into a loop stays in it to the token limit, so the end of an
    output shows it, also where no token follows itself.
    What to do: compare with a leg that is known to be right, on the same prompt and greedily; a
    small model may loop by itself. Not to be accepted.
    """
    if isinstance(output.tokens, Missing):
        return output.tokens
    tail = output.tokens[-WINDOW:]
    if len(tail) < FEWEST:
        return ""
    least = max(LEAST, min(MOST, len(tail) // 4))
    found = len(set(tail))
    if found >= least or _numbers(output.visible[-WINDOW:]):
        return ""
    return f"{found} different tokens among the last {len(tail)}"


def _numbers(end: str) -> bool:
    """Whether the end of a text is rows of numbers."""
    return not any(map(str.isalpha, end)) and 4 * sum(map(str.isdigit, end)) >= WINDOW
