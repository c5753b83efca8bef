"""Pins: pins as files, and bundles gated against them.

In: paths of bundles and pins. Out: a pin's file; `Gate`. A pin that is there is replaced only with
a reason, and the file keeps what was replaced, why, when, and by how much each figure moved.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.bundle import Bundle, open_bundle
from roofmark.bundle_files import read_named, reason_of
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.gating.numbers import check_numbers
from roofmark.records import decode, encode_pretty
from roofmark.text_files import write_files

if TYPE_CHECKING:
    from roofmark.analysis.baseline import Baseline, Change, Metric
    from roofmark.analysis.gate import Ask, Gate
    from roofmark.analysis.memory_gate import MemoryGate
    from roofmark.analysis.ratio_gate import RatioGate


def pin(
    bundle: Bundle | str | Path,
    path: str | Path,
    *,
    metric: "Metric" = "speedup",
    reason: str = "",
    force: bool = False,
) -> "Baseline":
    """Write the pin of a bundle to `path` and return it.

    metric: what a gate compares if it does not say; both are kept. reason: why a pin is replaced
        or a guard overridden. force: override the guards, or replace a file that is no pin.
    Raises: BundleError RM430 to RM432, RM409 for a file that is no pin, RM408, or as `open_bundle`.
    """
    from roofmark.analysis.pinning import pin_bundle

    path = Path(path)
    made = pin_bundle(
        _opened(bundle),
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        metric=metric,
        reason=reason,
        force=force,
        replaces=_pin_there(path, force=force),
    )
    write_files(path.parent, {path.name: encode_pretty(made).decode()}, force=True)
    return made


def changes(bundle: Bundle | str | Path, path: str | Path) -> "tuple[Change, ...]":
    """Return what `pin` would change in the pin at `path`; nothing where there is none."""
    from roofmark.analysis.baseline import changes_of
    from roofmark.analysis.pinning import make_baseline

    old = _pin_there(Path(path), force=True)
    return changes_of(old, make_baseline(_opened(bundle))) if old else ()


def gate(
    bundle: Bundle | str | Path, baseline: "Baseline | str | Path", *, ask: "Ask | None" = None
) -> "Gate":
    """Return whether a bundle keeps what a pin promises. ask: margin, metric, filters, alarm.

    Raises: StudyError RM130 for a filter that matches nothing and RM103 for a margin or an alarm
        that cannot be; BundleError RM433 for a file that is no pin, RM434 for one that cannot be
        compared.
    """
    from roofmark.analysis.gate import Ask, gate_bundle

    ask = ask or Ask()
    check_numbers(ask.margin, ask.alarm)
    pinned = read_pin(baseline) if isinstance(baseline, str | Path) else baseline
    return gate_bundle(_opened(bundle), pinned, ask)


def gate_memory(
    bundle: Bundle | str | Path,
    baseline: "Baseline | str | Path",
    *,
    ask: "Ask | None" = None,
    margin: float | None = None,
) -> "MemoryGate | None":
    """Return whether no solution took more memory than pinned; None for a pin without memory.

    ask: filters. margin: growth that passes; 10 % if None. Raises: as `gate`.
    """
    from roofmark.analysis.gate import Ask, select_cells
    from roofmark.analysis.memory_gate import MEMORY_MARGIN, gate_pinned_memory
    from roofmark.analysis.pinning import make_baseline

    margin = MEMORY_MARGIN if margin is None else margin
    check_numbers(margin, (ask or Ask()).alarm)
    pinned = read_pin(baseline) if isinstance(baseline, str | Path) else baseline
    chosen = select_cells(pinned, "time", ask or Ask())
    return gate_pinned_memory(pinned, make_baseline(_opened(bundle)), chosen, margin)


def gate_ratios(
    bundle: Bundle | str | Path, demands: Sequence[str], *, alarm: float | None = None
) -> "RatioGate":
    """Return whether solutions are as much faster than others as is demanded.

    demands: such as "on/off>=1.3@8b*": on these workloads `on` is at least 1.3 times as fast.
    Raises: StudyError RM103 for what is no demand, RM130 for one that matches nothing.
    """
    from roofmark.analysis import ratio_gate
    from roofmark.analysis.shift import ALARM

    alarm = ALARM if alarm is None else alarm
    check_numbers(None, alarm)
    parsed = [ratio_gate.parse_demand(each) for each in demands]
    if not parsed:
        mend = "Demand at least one, such as 'on/off>=1.3'."
        raise StudyError(problem("RM103", "no ratio is demanded", "--ratio", mend))
    return ratio_gate.gate_ratios(_opened(bundle), parsed, alarm=alarm)


def read_pin(path: str | Path) -> "Baseline":
    """Return the pin in a file. Raises: BundleError RM433 when it is none or was changed."""
    from roofmark.analysis.baseline import Baseline
    from roofmark.analysis.pinning import is_intact

    try:
        found = decode(read_named(path), Baseline, where=path)
    except OSError as error:
        raise _no_pin(path, f"cannot read: {reason_of(error)}") from error
    except BundleError as error:
        raise _no_pin(path, error.problems[0].fact) from error
    if not is_intact(found):
        raise _no_pin(path, "its sha256 does not fit: it was changed after it was pinned")
    return found


def _no_pin(path: str | Path, fact: str) -> BundleError:
    mend = (
        "Make one with `roofmark pin BUNDLE -o FILE`; `roofmark import` reads what other tools pin."
    )
    return BundleError(problem("RM433", fact, str(path), mend))


def _pin_there(path: Path, *, force: bool) -> "Baseline | None":
    """Return the pin that would be replaced. Raises: BundleError RM409 for another file."""
    if not path.exists():
        return None
    try:
        return read_pin(path)
    except BundleError as error:
        if force:
            return None
        mend = "Name another file, or pass --force to replace it."
        fact = f"{path.name} exists and is no pin: {error.problems[0].fact}"
        raise BundleError(problem("RM409", fact, str(path), mend)) from error


def _opened(bundle: Bundle | str | Path) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
