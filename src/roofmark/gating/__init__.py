"""Gating: is the code as fast as it was? Against a pin, or against another revision side by side.

In: bundles, pins, revisions. Out: what each gate says, cell by cell.
"""

from roofmark.gating.pins import changes, gate, gate_memory, gate_ratios, pin, read_pin

__all__ = ["changes", "gate", "gate_memory", "gate_ratios", "pin", "read_pin"]
