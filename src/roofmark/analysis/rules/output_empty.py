"""RM601: nothing was written."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import Output
from roofmark.records import Missing


@rule(
    "RM601",
    "the output is empty",
    per="output",
    moves="invalid",
    fires={"output": Output(text=" \n\t ")},
    silent={"output": Output(text="4")},
)
def output_empty(output: Output) -> str | Missing:
    """An output has no visible character, or not a single token.

    Why it matters: a model that writes nothing is fast; no time that such outputs back is a time
    of the work that was asked for.
    What to do: look at the first step's logits (NaN, a mask that hides all), at the stop tokens
    and at the prompt's template. Not to be accepted.
    """
    if isinstance(output.text, Missing):
        return output.text if isinstance(output.tokens, Missing) or output.tokens else "no token"
    return "" if output.visible else f"{len(output.written)} characters, none of them visible"
