"""RM604: the same three tokens over and over."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import FEWEST, Output, grams, repeated_share
from roofmark.records import Missing

# Source: a gate in the field lets 70 % of the 3-grams be ones that stood before.
MOST = 0.7


@rule(
    "RM604",
    "most token 3-grams stood before",
    per="output",
    moves="invalid",
    fires={"output": Output(tokens=tuple(range(20)) * 5)},
    silent={"output": Output(tokens=(*range(60), *range(40)))},
)
def output_token_grams(output: Output) -> str | Missing:
    """More than 70 % of all runs of three tokens stood before in the output (from 12 tokens on).

    Where the text was kept, too, RM606 asks this of its words, which a list in JSON does not fool:
    of honest JSON up to 91 % of the token 3-grams stood before (benchmarks/degenerate.py).

    Why it matters: it finds loops that are longer than the end that RM603 looks at: a sentence or
    a paragraph that is written again and again.
    What to do: as for RM603; and look whether the prompt asks for repetition. Not to be accepted.
    """
    if isinstance(output.tokens, Missing):
        return output.tokens
    if len(output.tokens) < FEWEST or output.visible:
        return ""
    share = repeated_share(grams(output.tokens))
    return f"{100 * share:.0f} % of the 3-grams of {len(output.tokens)} tokens stood before" * (
        share > MOST
    )
