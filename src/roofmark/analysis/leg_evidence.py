"""Leg evidence: what a bundle holds of its engines, beside the traces.

In: a bundle. Out: stays, requests and kernel tables by leg; of a study of kernels, nothing. What
follows from them is in rules and in leg_tables.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import UnsetType

from roofmark.analysis.compare import Place
from roofmark.bundle import Bundle
from roofmark.legs import Treatment
from roofmark.records import Missing
from roofmark.served import LegProfile, Served, Stay


@dataclass(frozen=True, slots=True)
class LegEvidence:
    """stays: by leg, in order. served: by load and leg, in order. tables: by load and leg."""

    stays: Mapping[str, tuple[Stay, ...]] = field(default_factory=dict[str, tuple[Stay, ...]])
    served: Mapping[Place, tuple[Served, ...]] = field(
        default_factory=dict[Place, tuple[Served, ...]]
    )
    tables: Mapping[Place, LegProfile | Missing] = field(
        default_factory=dict[Place, LegProfile | Missing]
    )


def collect_legs(bundle: Bundle) -> LegEvidence:
    """Return what a bundle holds of its engines. Raises: BundleError RM402."""
    if isinstance(bundle.study.serving, UnsetType):
        return LegEvidence()
    stays: dict[str, list[Stay]] = {}
    served: dict[Place, list[Served]] = {}
    for stay in sorted(bundle.stays(), key=lambda each: each.process):
        stays.setdefault(stay.solution, []).append(stay)
    for each in sorted(bundle.served(), key=lambda each: each.process):
        served.setdefault((each.workload, each.solution), []).append(each)
    return LegEvidence(
        stays={name: tuple(found) for name, found in stays.items()},
        served={place: tuple(found) for place, found in served.items()},
        tables={(each.workload, each.solution): each.outcome for each in bundle.tables()},
    )


def unseen(treatment: Treatment, legs: LegEvidence, name: str, own: str) -> tuple[str, ...]:
    """Return each part of a treatment that is not visible, in one sentence each.

    name: the leg as recorded (it may be the twin); own: as the study calls it, for the tables.
    """
    found: list[str] = []
    for variable, wanted in treatment.environment.items():
        for stay in legs.stays.get(name, ()):
            reason = _unseen_variable(treatment, stay, variable, wanted)
            if reason:
                found.append(f"process set {stay.process + 1}: {reason}")
    tables = {at[0]: table for at, table in legs.tables.items() if at[1] == own}
    if treatment.kernels or treatment.without or not isinstance(treatment.graph_replays, UnsetType):
        found += _unseen_kernels(treatment, tables)
    return tuple(dict.fromkeys(found))


def _unseen_variable(treatment: Treatment, stay: Stay, variable: str, wanted: str) -> str:
    """Return why a variable is not proved in one stay, or nothing."""
    values = stay.environment.get(variable, ())
    seen = [
        value
        for line, value in zip(stay.processes, values, strict=False)
        if treatment.process in line
    ]
    if not seen:
        return f"{variable} was looked at in no process of the leg"
    wrong = [value for value in seen if value != wanted]
    if not wrong:
        return ""
    told = wrong[0].reason if isinstance(wrong[0], Missing) else f"it is {wrong[0]!r}"
    return f"{variable} should be {wanted!r}; in {len(wrong)} of {len(seen)} processes {told}"


def _unseen_kernels(treatment: Treatment, tables: Mapping[str, LegProfile | Missing]) -> list[str]:
    if not tables:
        return ["no kernel table was taken, so kernels and graphs cannot be seen"]
    found: list[str] = []
    for workload, table in tables.items():
        if isinstance(table, Missing):
            found.append(f"{workload}: no kernel table: {table.reason}")
            continue
        names = [spans.name for spans in table.spans]
        lacking = [part for part in treatment.kernels if not any(part in name for name in names)]
        there = [part for part in treatment.without if any(part in name for name in names)]
        found += [f"{workload}: no kernel's name holds {part!r}" for part in lacking]
        found += [f"{workload}: {part!r} is still in the kernel table" for part in there]
        found += _unseen_replays(treatment, workload, table)
    return found


def _unseen_replays(treatment: Treatment, workload: str, table: LegProfile) -> list[str]:
    wanted = treatment.graph_replays
    if isinstance(wanted, UnsetType):
        return []
    if isinstance(table.graph_launches, Missing):
        return [f"{workload}: graph replays were not counted: {table.graph_launches.reason}"]
    replays = table.graph_launches / table.tokens
    if replays < wanted or (wanted == 0 and replays > 0):
        return [f"{workload}: {replays:g} graph replays per token, {wanted:g} must be seen"]
    return []
