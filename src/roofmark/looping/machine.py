"""The machine that a loop goes on with: is it one that can measure what the loop asks?

In: a loop's state and the bundle that began it. Out: nothing, or an error that costs no try. What
this machine lacks is no candidate's fault, and a journal full of failed builds would say it was.
"""

from roofmark.bench.proof.errors import BuildError
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import BenchError, BundleError
from roofmark.evidence import Environment
from roofmark.looping.change import build_binary
from roofmark.looping.state import State
from roofmark.place import collect_machine
from roofmark.records import Missing


def check_machine(state: State, start: Bundle) -> None:
    """Refuse to go on where nothing builds, or where another kind of device would be measured.

    A fleet's stations are looked at where they are mustered. Raises: BenchError RM333, RM331;
    BundleError RM410.
    """
    if state.fleet or start.run.fleet:
        return
    now = collect_machine(start.run.device, state.folder)
    was, there = _kind(start.environment, start), _kind(now, start)
    if was != there:
        fact = f"this loop began on {was}, and here is {there}"
        mend = "Go on where there is one, or begin a new loop here."
        raise BundleError(problem("RM410", fact, str(state.folder), mend))
    try:
        build_binary(state.loaded, state.plan.solution, state.version(0), now)
    except BuildError as error:
        fact = f"{state.plan.solution!r} built where this loop began, and does not here: {error}"
        mend = "Install what is missing (`roofmark doctor`); the same command then goes on."
        raise BenchError(problem("RM333", fact, str(state.folder), mend)) from error


def _kind(machine: Environment, start: Bundle) -> str:
    """Return the name of what is measured there."""
    if start.run.device == "cuda" and not isinstance(machine.gpu, Missing):
        return machine.gpu.name
    return str(machine.cpu.model)
