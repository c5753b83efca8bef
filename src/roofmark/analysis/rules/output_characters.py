"""RM607: characters that are none."""

import unicodedata

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import Output
from roofmark.records import Missing

# Chosen: a cut in the middle of a character leaves up to three marks; a hundredth is more than any
# form feed or private letter in honest text.
MOST, MOST_SHARE = 3, 0.01
_REPLACED = "\ufffd"
_SPACE = "\t\n\r\f\v"
_NONE = ("Cc", "Cn", "Co", "Cs")


@rule(
    "RM607",
    "characters that cannot be shown",
    per="output",
    moves="invalid",
    fires={"output": Output(text="The answer \ufffd\ufffd\x00\ufffd\ufffd is \x1b\x02")},
    silent={"output": Output(text="naïve 東京 👩‍🔬 שלום\tend \ufffd")},
)
def output_characters(output: Output) -> str | Missing:
    """More than three characters, and more than 1 %, are control, unassigned or replacement marks.

    Why it matters: random token ids decode to broken pieces of characters; a text of such pieces
    repeats nothing, so no rule about repetition finds it.
    What to do: compare the token ids with a leg that is known to be right; look at the tokenizer's
    version first. Not to be accepted.
    """
    if isinstance(output.text, Missing):
        return output.text
    text = output.written
    found = sum(
        c == _REPLACED or (c not in _SPACE and unicodedata.category(c) in _NONE) for c in text
    )
    if found <= MOST or found <= MOST_SHARE * len(text):
        return ""
    return f"{found} of {len(text)} characters are control, unassigned or replacement marks"
