"""RM302: the GPU ran at its power limit."""

from roofmark.analysis.rules import rule

# Source: NVML API reference, nvmlClocksEventReasonSwPowerCap.
POWER_CAP = 0x4


@rule(
    "RM302",
    "the GPU ran at its power limit",
    per="series",
    moves="",
    devices=("cuda",),
    fires={"throttle": (0x0, 0x4)},
    silent={"throttle": (0x0, 0x1)},
)
def power_capped(throttle: tuple[int, ...]) -> str:
    """The clocks were held down so that the board stays within its power limit.

    Why it matters: this is how a heavy kernel runs in production too, so it moves nothing; but a
    device with another limit will give other times.
    What to do: nothing, or compare with a run at another limit. There is nothing to accept.
    """
    hit = sum(bool(mask & POWER_CAP) for mask in throttle)
    return f"power cap active after {hit} of {len(throttle)} visits" if hit else ""
