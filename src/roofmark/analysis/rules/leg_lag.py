"""RM319: the client fell behind its schedule."""

from roofmark.analysis.rules import rule

# Chosen: what a client may add to a latency before it is part of the result; the same share that
# benchmarks/serving/client.py holds it to.
SHARE = 0.02


@rule(
    "RM319",
    "the client fell behind its schedule",
    per="series",
    moves="undecided",
    subject="engines",
    fires={"lag": 0.05},
    silent={"lag": 0.001},
)
def client_late(lag: float) -> str:
    """Requests of an open loop were sent later than they were due, by a share of their latency.

    Why it matters: times count from when a request was due, so a client that is late is measured as
    if the server were.
    What to do: ask for a lower rate, or run the client on a machine with a core to spare.
    Accept it with accept=("RM319",) where the comparison alone matters: all legs have this client.
    """
    return f"the median request left {100 * lag:.1f} % of its latency late" if lag > SHARE else ""
