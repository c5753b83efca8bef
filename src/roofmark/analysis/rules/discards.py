"""RM314: many samples were discarded."""

from roofmark.analysis.rules import Note, rule

# Chosen: a tenth is worth telling; beyond a half, what is left was selected rather than sampled.
TELL = 0.1
MOVE = 0.5


@rule(
    "RM314",
    "many samples were discarded",
    per="series",
    moves="undecided",
    fires={"counts": (100, 60), "discard_reasons": ("launch not hidden",)},
    silent={"counts": (100, 2), "discard_reasons": ("launch not hidden",)},
)
def discards(counts: tuple[int, int], discard_reasons: tuple[str, ...]) -> str:
    """The bench took samples and could not use them: launch not hidden, clock changed, and so on.

    Why it matters: when over half is left out, the rest are the lucky ones.
    What to do: read the reasons. A launch that is not hidden wants the graph tier.
    Accept it with accept=("RM314",) when the reason cannot favour one side.
    """
    taken, out = counts
    if out <= TELL * taken:
        return ""
    sentence = f"{out} of {taken} samples: {', '.join(discard_reasons)}"
    return sentence if out > MOVE * taken else Note(sentence)
