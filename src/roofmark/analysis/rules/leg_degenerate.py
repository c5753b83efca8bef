"""RM523: outputs that back a time are degenerate."""

from roofmark.analysis.rules import rule


@rule(
    "RM523",
    "outputs that back a time are degenerate",
    per="series",
    moves="invalid",
    subject="engines",
    fires={"degenerate": ("process set 1, block 1, request 3: RM605 '!' 64 times in a row",)},
    silent={"degenerate": ()},
)
def outputs_degenerate(degenerate: tuple[str, ...]) -> str:
    """The study says that its model is trained, and a timed request was answered with nonsense.

    Asked where the study says `Serving(trained=True)`: every output of every timed request is
    looked at by RM601 to RM607. Of random weights nothing better can be expected.

    Why it matters: a damaged cache or NaN logits decode at full speed; a time that such an output
    backs is a time of another work than was asked for.
    What to do: look at the first such output, and compare its logits with a leg that is right.
    It cannot be accepted.
    """
    more = f"; {len(degenerate) - 3} more" if len(degenerate) > 3 else ""
    return "; ".join(degenerate[:3]) + more
