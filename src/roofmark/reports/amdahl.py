"""A predicted end-to-end gain as text, beside the measured one.

In: a kernel's speed-up and the gains per load. Out: a few lines.
"""

from collections.abc import Mapping

from roofmark.analysis.amdahl import Gain
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing
from roofmark.reports.wording import one_line, percent, ratio_and_interval, shorten
from roofmark.units import show


def gains_text(ratio: Estimate, gains: Mapping[str, Gain | Missing], tier: str) -> str:
    """Return the text."""
    lines = [f"kernel by itself: {ratio_and_interval(ratio)} ({tier} tier)"]
    for workload, gain in gains.items():
        if isinstance(gain, Missing):
            lines.append(f"{workload}: no prediction: {one_line(gain.reason)}")
            continue
        lines += [
            f"{workload}: {shorten(one_line(gain.kernel), 80)}",
            f"  {gain.calls:g} calls per token of {show(gain.mean, 's')} are "
            f"{percent(gain.share)} of a token's time",
            f"  predicted {ratio_and_interval(gain.predicted)}",
            f"  measured  {_measured(gain)}",
        ]
    return "\n".join(lines) + "\n"


def _measured(gain: Gain) -> str:
    if isinstance(gain.measured, Missing) or isinstance(gain.off, Missing):
        reason = gain.measured.reason if isinstance(gain.measured, Missing) else ""
        return f"nothing: {one_line(reason)}"
    verdict = "the intervals overlap" if gain.agrees is True else "the intervals do not overlap"
    off = f"the prediction is off by {100 * (gain.off - 1):+.1f} %"
    return f"{ratio_and_interval(gain.measured)}; {off}, {verdict}"
