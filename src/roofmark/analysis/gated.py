"""Gated: what every gate says of one cell, and how a shift and its half-width decide it.

In: a log shift (positive where the new is slower), the half-width that chance stays within, and a
margin. Out: pass, fail or undecided, and a sentence. A cell passes when shift + half is below the
margin, fails when shift - half is above 0 and the shift is nearer to the margin than to 0, and is
undecided otherwise.
"""

import fnmatch
import math
from collections.abc import Iterable, Sequence
from typing import Literal

from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing, Record
from roofmark.units import Ratio

GateDecision = Literal["pass", "fail", "undecided"]


class GatedCell(Record):
    """One cell, before and now.

    ratio: cost now over cost before (time, or the inverse of the speed-up); above 1 is slower.
    p: of a slow-down this large by chance. codes: the findings that took a decision back.
    """

    workload: str
    solution: str
    decision: GateDecision
    because: str
    was: Estimate | Missing
    now: Estimate | Missing
    ratio: Estimate | Missing
    margin: Ratio
    p: float
    codes: tuple[str, ...] = ()


def together(decisions: Iterable[GateDecision]) -> GateDecision:
    """Return a gate's decision: one failed cell fails it, else one undecided leaves it open."""
    found = set(decisions)
    if "fail" in found:
        return "fail"
    return "undecided" if "undecided" in found else "pass"


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name is asked for by shell patterns; all are where there is none."""
    return not patterns or any(fnmatch.fnmatchcase(name, p) for p in patterns)


def decide(shift: float, half: float, margin: float) -> GateDecision:
    """Return what numbers alone decide; all three are logs."""
    if shift + half < margin:
        return "pass"
    return "fail" if shift - half > 0 and shift >= margin / 2 else "undecided"


def told(decision: GateDecision, shift: float, half: float, margin: Ratio) -> str:
    """Return why, in percent. margin: a ratio minus one."""
    # Adding 0 turns a rounded -0.0 into 0.0.
    ends = (shift - half, shift, shift + half)
    low, value, high = (round(100 * math.expm1(end), 1) + 0.0 for end in ends)
    words = {
        "pass": f"below the margin of {100 * margin:.1f} %",
        "fail": f"slower beyond chance, margin {100 * margin:.1f} %",
        "undecided": f"too noisy to tell from a margin of {100 * margin:.1f} %",
    }
    return f"{value:+.1f} % [{low:+.1f}, {high:+.1f}]: {words[decision]}"
