"""RM311: the host was busy with other work."""

from statistics import median

from roofmark.analysis.rules import rule

# Chosen: a quiet virtual machine loses less than 1 % to its neighbours; at 5 % one sample in twenty
# is an outlier and the median begins to move.
STOLEN = 0.05
# Chosen: one and a half tasks of others per core, beside the run's own. The kernel averages over a
# minute, in which the run's children start side by side again and again, so all of them count.
LOAD_PER_CORE = 1.5


@rule(
    "RM311",
    "the host was busy",
    per="series",
    moves="undecided",
    devices=("cpu",),
    fires={"stolen": (0.1, 0.12, 0.09), "load_averages": (1.0, 1.0, 1.0), "cores": 8, "crew": 4},
    silent={"stolen": (0.0, 0.2, 0.0), "load_averages": (1.0, 1.5, 1.2), "cores": 8, "crew": 4},
)
def host_busy(
    stolen: tuple[float, ...], load_averages: tuple[float, ...], cores: int, crew: int
) -> str:
    """During most visits the hypervisor took CPU time away, or more tasks ran than cores exist.

    Why it matters: on a CPU the host is the device; waiting counts as running.
    What to do: stop the other work, or measure on a machine of your own.
    Accept it with accept=("RM311",) on shared machines, where the twin still guards the verdict.
    """
    share, load = median(stolen), median(load_averages)
    if share > STOLEN:
        return f"{100 * share:.0f} % of CPU time was stolen in the median visit"
    if load > LOAD_PER_CORE * cores + crew:
        return f"load {load:.1f} on {cores} cores, with {crew} processes of the run itself"
    return ""
