"""Profiling: why a measured solution takes its time, bounded and bound to what was measured.

In: a sealed bundle of a run on a GPU, or a study to run first. Out: a new sealed bundle, the old
one's files plus what a profiler saw. Everything that can go wrong with a profiler has a kind.
"""

from roofmark.profiling.profile import Machine, profile

__all__ = ["Machine", "profile"]
