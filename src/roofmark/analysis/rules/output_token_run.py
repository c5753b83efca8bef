"""RM602: one token over and over."""

import re

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import Output, longest_run
from roofmark.records import Missing

# Source: a gate in the field lets a token stand four times in a row.
MOST = 4
# Chosen: what tokenizers cut into equal pieces in honest text: the indentation of code, a line that
# is drawn, the zeros of a number of up to 24 digits.
_HONEST = re.compile(r"[ \t]{5,}|\n{5,}|([-=_*~.#+|:\u2500-\u259f])\1{4,}|(?<!\d)\d{5,24}(?!\d)")
# The same for a row of one digit, a space or a comma between: as many pieces as digits.
_ROW = re.compile(r"(?:(?<!\d)(\d)[ ,\t]{1,2}(?=\1(?!\d))){4,}")
_LONGEST_LINE, _LONGEST_ROW = 200, 24


@rule(
    "RM602",
    "one token stands over and over",
    per="output",
    moves="invalid",
    fires={"output": Output(tokens=(791, 4320, 374, 0, 0, 0, 0, 0))},
    silent={"output": Output(tokens=(791, 4320, 374, 0, 0, 0, 0, 13))},
)
def output_token_run(output: Output) -> str | Missing:
    """The same token id stands more than four times in a row.

    Why it matters: NaN in the logits makes the largest one the first, often id 0 ("!"), and a
    broken cache repeats its last token; both decode at full speed. Where the text was kept, too, a
    run is forgiven that is no longer than an indentation, a drawn line, a number or a row of one
    digit in it.
    What to do: find the first step at which it begins and compare its logits with a leg that is
    known to be right. Not to be accepted.
    """
    if isinstance(output.tokens, Missing):
        return output.tokens
    token, length = longest_run(output.tokens)
    if length <= MOST or length <= _forgiven(output.written):
        return ""
    return f"token {token} stands {length} times in a row, of {len(output.tokens)} tokens"


def _forgiven(text: str) -> int:
    """Return the longest run of equal pieces that honest text explains."""
    run = max((len(each[0]) for each in _HONEST.finditer(text)), default=0)
    row = max((sum(map(str.isdigit, each[0])) + 1 for each in _ROW.finditer(text)), default=0)
    return max(min(run, _LONGEST_LINE), min(row, _LONGEST_ROW))
