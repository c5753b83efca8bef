"""What programs outside of a run did to its host while batches were timed: a part of the evidence.

In: nothing but what the bench observed (bench/bystanders.py). Out: a record that the judge reads.
"""

from roofmark.records import Missing, Record
from roofmark.units import Ratio


class Bystanders(Record, tag="bystanders"):
    """What others did to the workers' cores while batches were timed.

    cores: how many of them programs outside of the run kept busy. stolen: how many a hypervisor
    took away. Both over the whole series of batches, of all solutions.
    """

    cores: Ratio
    stolen: Ratio


NO_BYSTANDERS = Missing(reason="nobody looked at what others did")
"""What older bundles tell of bystanders, and a run that took no batch."""
