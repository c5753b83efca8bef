"""How many processes and threads were ever born on this machine.

In: nothing. Out: the kernel's own count, which says that nothing was born since somebody looked: a
list of processes made then has all of them still, and nobody has the number of one that ended.
"""

import contextlib
import functools
import re
import threading
from pathlib import Path

# Source: proc_stat(5): "Number of forks since boot", which counts clone(2) of threads as well.
_COUNT = re.compile(rb"^processes (\d+)$", re.M)


def births() -> int:
    """Return the count; 0 where the kernel does not tell, or tells something that does not grow."""
    return _read() if _counts() else 0


@functools.cache
def _counts() -> bool:
    """Whether the count has grown by the birth of a thread: what stands in for /proc may not."""
    before = _read()
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    return _read() > before


def _read() -> int:
    with contextlib.suppress(OSError):
        if found := _COUNT.search(Path("/proc/stat").read_bytes()):
            return int(found[1])
    return 0
