"""RM110: the gate lets a wrong kernel pass."""

from roofmark.analysis.rules import Note, rule
from roofmark.records import Missing


@rule(
    "RM110",
    "the gate lets a wrong kernel pass",
    per="study",
    moves="invalid",
    subject="kernels",
    fires={"controls": {"no_decay": {"B1": "passed", "B8": "passed"}}},
    silent={"controls": {"no_decay": {"B1": "incorrect", "B8": "incorrect"}}},
)
def wrong_passes(controls: dict[str, dict[str, str]]) -> str | Missing:
    """A negative control, which is wrong on purpose, passed on every workload it was tried on.

    Why it matters: a gate that cannot tell this kernel from a right one proves nothing about the
    solutions, so the whole study is invalid. A control that passes on some workloads and is refused
    on another is noted with their names and moves nothing: one refused workload makes a solution
    invalid, so the study's gate is all workloads together, and some faults (a tail, a head map)
    cannot show on every shape. A control that never ran, or crashed, was not tried: unknown.
    What to do: tighten the tolerance, or draw values on which the fault shows.
    It cannot be accepted.
    """
    passing = {
        name: [w for w, fate in at.items() if fate == "passed"] for name, at in controls.items()
    }
    refused = {name for name, at in controls.items() if "incorrect" in at.values()}
    through = [name for name, where in passing.items() if where and name not in refused]
    if through:
        return "; ".join(f"{name} passes on {_list(passing[name])}" for name in through)
    untried = [name for name in controls if name not in refused and not passing[name]]
    if untried:
        return Missing(reason=f"{_list(untried)} never reached the gate")
    blind = [name for name in controls if passing[name]]
    return Note(
        "; ".join(f"{name} is refused, but not on {_list(passing[name])}" for name in blind)
    )


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
