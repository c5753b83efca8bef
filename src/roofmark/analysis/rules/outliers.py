"""RM313: many samples are far above their median."""

from statistics import median

from roofmark.analysis.rules import rule

# Chosen: half as long again is no scatter of a kernel but an interruption.
FAR = 1.5
# Chosen: medians stand up to this share without moving by more than the samples' own scatter.
SHARE = 0.1


@rule(
    "RM313",
    "many outliers",
    per="series",
    moves="",
    fires={"samples": ((1.0,) * 8 + (3.0, 3.1),) * 4},
    silent={"samples": ((1.0,) * 19 + (3.0,),) * 4},
)
def outliers(samples: tuple[tuple[float, ...], ...]) -> str:
    """More than one sample in ten took half as long again as the median of its process.

    Why it matters: something interrupts the work. Medians stand it, so nothing is moved, but users
    who care for the tail will meet these times.
    What to do: look for interrupts, other work on the host, or allocation inside the timed call.
    There is nothing to accept.
    """
    total = sum(len(group) for group in samples)
    far = sum(sum(v > FAR * centre for v in g) for g, centre in _with_median(samples))
    return f"{far} of {total} samples" if total and far > SHARE * total else ""


def _with_median(
    samples: tuple[tuple[float, ...], ...],
) -> list[tuple[tuple[float, ...], float]]:
    return [(group, median(group)) for group in samples if group]
