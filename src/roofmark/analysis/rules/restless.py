"""RM509: it works while nobody asks."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM509",
    "it works while nobody asks",
    per="cell",
    moves="undecided",
    fires={"signs": {"restless": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def restless(signs: dict[str, tuple[str, ...]]) -> str:
    """A worker kept a core busy half a second after its answer, or ran although it was stopped.

    Why it matters: threads or processes that go on by themselves can work ahead, look at what
    others write, or slow others down. Workers are stopped while they are not asked. Most stand
    still then, and have gained nothing; but a timer that sends SIGCONT wakes a process, and a
    thread in a long system call stops when the call ends: others were measured beside it.
    What to do: join threads and processes within the call. Runtimes that spin for ever do this
    too: unset OMP_WAIT_POLICY=active and its like.
    It cannot be accepted.
    """
    return tell(signs, "restless")
