"""What Nsight Compute's pages call its counters.

In: a counter's name. Out: the labels under which its pages show it. A text quotes the label, a
report file holds the counter.
Source: the section files of Nsight Compute 2025.3 (sections/*.section), field `Label` of each
metric; a name here stands for every counter that begins with it.
"""

_LABELS = (
    ("gpu__compute_memory_throughput.avg.pct", "Memory Throughput"),
    ("gpu__compute_memory_access_throughput.avg.pct", "Mem Busy"),
    ("gpu__compute_memory_request_throughput.avg.pct", "Max Bandwidth"),
    ("gpu__dram_throughput.avg.pct", "DRAM Throughput"),
    ("dram__throughput.avg.pct", "DRAM Throughput"),
    ("dram__bytes.sum.per_second", "DRAM Memory Throughput"),
    ("l1tex__throughput.avg.pct", "L1/TEX Cache Throughput"),
    ("lts__throughput.avg.pct", "L2 Cache Throughput"),
    ("l1tex__t_sector_hit_rate.pct", "L1/TEX Hit Rate"),
    ("lts__t_sector_hit_rate.pct", "L2 Hit Rate"),
    ("sm__memory_throughput.avg.pct", "Mem Pipes Busy"),
    ("sm__throughput.avg.pct", "Compute SM Throughput"),
    ("sm__instruction_throughput.avg.pct", "SM Busy"),
    ("sm__inst_issued.avg.pct", "Issue Slots Busy"),
    ("sm__inst_executed.avg.per_cycle_active", "Executed Ipc Active"),
    ("sm__inst_executed.avg.per_cycle_elapsed", "Executed Ipc Elapsed"),
    ("sm__inst_issued.avg.per_cycle_active", "Issued Ipc Active"),
    ("smsp__issue_inst0.avg.pct", "No Eligible"),
    ("smsp__issue_active.avg.pct", "One or More Eligible"),
    ("smsp__issue_active.avg.per_cycle_active", "Issued Warp Scheduler"),
    ("smsp__warps_eligible.avg.per_cycle_active", "Eligible Warps Scheduler"),
    ("smsp__warps_active.avg.per_cycle_active", "Active Warps Scheduler"),
    ("sm__warps_active.avg.pct", "Achieved Occupancy"),
    ("sm__maximum_warps_per_active_cycle_pct", "Theoretical Occupancy"),
    ("sm__maximum_warps_avg_per_active_cycle", "Theoretical Active Warps SM"),
    ("sm__warps_active.avg.per_cycle_active", "Achieved Active Warps SM"),
    ("launch__registers_per_thread", "Registers Thread"),
    ("launch__waves_per_multiprocessor", "Waves SM"),
    ("launch__grid_size", "Grid Size"),
    ("launch__block_size", "Block Size"),
    ("launch__thread_count", "Threads Launched"),
    ("launch__occupancy_limit_registers", "Block Limit Registers"),
    ("launch__occupancy_limit_shared_mem", "Block Limit Shared Mem"),
    ("gpu__time_duration.sum", "Duration"),
    ("gpc__cycles_elapsed.max", "Elapsed Cycles"),
)


def labels_of(counter: str) -> tuple[str, ...]:
    """Return what the pages call a counter.

    >>> labels_of("lts__t_sector_hit_rate.pct"), labels_of("smsp__inst_executed.sum")
    (('L2 Hit Rate',), ())
    """
    found = (label for begin, label in _LABELS if _begins(counter, begin))
    return tuple(found)


def _begins(counter: str, begin: str) -> bool:
    """A counter's last parts may go on where the name here ends in `.pct`."""
    if counter == begin:
        return True
    return begin.endswith(".pct") and counter.startswith(begin + "_")
