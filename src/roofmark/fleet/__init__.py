"""Fleet: one run over several devices, on one host or on many.

In: a study, and where the devices are (`local`, a Ray cluster). Out: traces in one bundle, each
with the station that measured it. A process set is never split: it belongs to one station from its
first sample to its last, and is kept whole or not at all. All executors share one schedule.
"""

from roofmark.fleet.fleet import Fleet, open_fleet

__all__ = ["Fleet", "open_fleet"]
