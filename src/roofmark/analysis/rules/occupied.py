"""RM310: others used the GPU."""

from roofmark.analysis.rules import rule


@rule(
    "RM310",
    "other processes were on the GPU",
    per="study",
    moves="undecided",
    devices=("cuda",),
    fires={"other_processes": 1},
    silent={"other_processes": 0},
)
def occupied(other_processes: int) -> str:
    """The driver listed processes on this GPU that do not belong to the run.

    Why it matters: they take bandwidth, cache and power whenever they like.
    What to do: stop them (nvidia-smi lists them), or take another GPU.
    Accept it with accept=("RM310",) when they hold memory only, such as an idle display server.
    """
    return f"{other_processes} other processes" if other_processes else ""
