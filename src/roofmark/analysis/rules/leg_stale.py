"""RM318: an engine was not started afresh."""

from roofmark.analysis.rules import rule


@rule(
    "RM318",
    "an engine was not started afresh",
    per="solution",
    moves="undecided",
    subject="engines",
    fires={"stale": True},
    silent={"stale": False},
)
def engine_stale(stale: bool) -> str:
    """The leg is a server that ran already, so all process sets measured one and the same process.

    Why it matters: what a process is given for life (placement of memory, autotuned kernels, a
    warm cache of prompts) is the same in all sets; their spread says nothing about another start.
    What to do: give the leg its command, Server(run=...), so that each set starts its own.
    Accept it with accept=("RM318",) where the server cannot be restarted: the interval then holds
    for this one process.
    """
    return "every process set asked one server that ran already" if stale else ""
