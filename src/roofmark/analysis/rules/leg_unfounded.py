"""RM522: samples do not follow from the requests."""

from roofmark.analysis.rules import rule


@rule(
    "RM522",
    "samples do not follow from the requests",
    per="series",
    moves="invalid",
    subject="engines",
    fires={"unfounded": ("process set 1: ttft",)},
    silent={"unfounded": ()},
)
def samples_unfounded(unfounded: tuple[str, ...]) -> str:
    """A visit's samples are not those that its requests and arrivals give when computed again.

    Why it matters: the verdict rests on the samples, and the samples rest on the requests; one of
    the two was changed, or a request that was not answered was counted.
    What to do: take the bundle from its source again, or measure again.
    It cannot be accepted.
    """
    return "; ".join(unfounded[:5])
