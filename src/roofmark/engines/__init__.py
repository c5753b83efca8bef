"""Engines for in-process legs: what `Solution.entry` of an `rm.Engine()` leg may return.

In: a model, or the shape of one. Out: an object with `prefill(ids) -> int` and `step() -> int`.
They run in a worker; nothing else of roofmark imports them, and they import torch when they are
made.
"""

from roofmark.engines.hugging_face import HuggingFace as HuggingFace

__all__ = ["HuggingFace"]
