"""RM301: the GPU slowed its clocks down to protect itself."""

from roofmark.analysis.rules import rule

# Source: NVML API reference, nvmlClocksEventReasons: HwSlowdown 0x8, SwThermalSlowdown 0x20,
# HwThermalSlowdown 0x40, HwPowerBrakeSlowdown 0x80.
REASONS = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


@rule(
    "RM301",
    "the GPU throttled",
    per="series",
    moves="undecided",
    devices=("cuda",),
    fires={"throttle": (0x0, 0x20, 0x28)},
    silent={"throttle": (0x0, 0x1, 0x4)},
)
def throttled(throttle: tuple[int, ...]) -> str:
    """The driver reported that it lowered the clocks to protect the device.

    Why it matters: which solution is hit depends on when the device is hot, not on the solution.
    What to do: improve cooling or lower the power limit for all, wait, and measure again.
    Accept it with accept=("RM301",) when a throttled device is what you want to know about.
    """
    hit = sum(any(mask & bit for bit in REASONS) for mask in throttle)
    names = [name for bit, name in REASONS.items() if any(mask & bit for mask in throttle)]
    return f"{', '.join(names)} after {hit} of {len(throttle)} visits" if hit else ""
