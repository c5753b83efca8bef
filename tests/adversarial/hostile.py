"""Solutions that misbehave, each in its own way, and what a run has to say of each.

In: nothing. Out: name -> (source, outcome, words that its reason holds).
"""

from roofmark.evidence import BuildFailed, Crashed, Incorrect, TimedOut

_LINE = "\ndef line(x):\n"


def _call(body: str, head: str = "import os, sys, time, torch") -> str:
    """A solution that does `body` in every call and then answers rightly."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{head}\n{_LINE}{lines}    return 2 * x + 1\n"


# --- ends its process ----------------------------------------------------------------------------
DEATHS = {
    "segfaults": (
        _call("ctypes.string_at(0)", "import ctypes"), Crashed, "signal 11 (Segmentation fault)",
    ),
    "odd_signal": (_call("os.kill(os.getpid(), 40)"), Crashed, "signal 40"),
    "exits": (_call("os._exit(7)"), Crashed, "ended without an answer, with exit code 7"),
    "sys_exits": (_call("sys.exit(0)"), Crashed, "SystemExit: 0"),
    "allocates": (
        _call("kept = []\nwhile True: kept.append(bytearray(b'x' * 2**24))"),
        Crashed, "of memory and was killed",
    ),
    "shares": (
        _call(
            "kept = []\n"
            "while True:\n"
            "    kept.append(mmap.mmap(-1, 2**24))\n"
            "    kept[-1].write(b'x' * 2**24)",
            "import mmap",
        ),
        Crashed, "of memory and was killed",
    ),
    # In the first visit: each slot but the warm-up's has been called once before.
    "half_done": (
        "import os\nfrom collections import Counter\n\nseen, warm = Counter(), []\n\n"
        "def line(x, y):\n"
        "    y.copy_(2 * x + 1)\n"
        "    warm[:] = warm or [x.data_ptr()]\n"
        "    seen[x.data_ptr()] += 1\n"
        "    if x.data_ptr() not in warm and seen[x.data_ptr()] > 1:\n"
        "        x.zero_()\n"
        "        os._exit(5)\n",
        Crashed, "exit code 5",
    ),
    "closes_all": (_call("os.closerange(3, 4096)"), Crashed, ""),
    "babbles": (
        _call(
            "for fd in range(3, 256):\n"
            "    try: os.write(fd, b'\\xff' * 64) if stat.S_ISSOCK(os.fstat(fd).st_mode) else 0\n"
            "    except OSError: pass",
            "import os, stat",
        ),
        Crashed, "not a message",
    ),
}  # fmt: skip

# --- answers wrongly -----------------------------------------------------------------------------
FAULTS = {
    "import_raises": ("raise RuntimeError('no luck')\n" + _LINE + "    return x\n",
                      BuildFailed, "no luck"),
    "import_exits": ("import sys\nsys.exit(3)\n" + _LINE + "    return x\n",
                     BuildFailed, "SystemExit"),
    # An assignment, so that only the worker sees its parameters; a plain def is refused before.
    "wrong_names": ("line = lambda a, b: a\n", BuildFailed, "lacks x"),
    "call_raises": (_call("raise ValueError('odd \\udcff name')"), Crashed, "ValueError: odd"),
    "wrong_later": (
        "import torch\ncalls = [0]\n" + _LINE
        + "    calls[0] += 1\n    return 2 * x + (1 if calls[0] < 4 else 0)\n",
        Incorrect, "output y is wrong in a timed call",
    ),
}  # fmt: skip

# --- answers wrongly in its first call -----------------------------------------------------------
REFUSED = {
    "wrong_dtype": ("def line(x):\n    return (2 * x + 1).double()\n",
                    Incorrect, "dtype torch.float64"),
    "wrong_shape": ("def line(x):\n    return (2 * x + 1)[:-1]\n", Incorrect, "shape"),
    "subclass": (
        "import torch\nclass Mine(torch.Tensor): pass\n" + _LINE
        + "    return (2 * x + 1).as_subclass(Mine)\n",
        Incorrect, "Mine",
    ),
    "nothing": ("def line(x):\n    pass\n", Incorrect, "NoneType"),
    "writes_input": ("def line(x):\n    y = 2 * x + 1\n    x.zero_()\n    return y\n",
                     Incorrect, "input x was changed"),
    "leaves_nan": ("def line(x):\n    y = 2 * x + 1\n    y[7] = float('nan')\n    return y\n",
                   Incorrect, "output y is wrong"),
}  # fmt: skip

# --- takes without end ---------------------------------------------------------------------------
LATE = {
    "hangs": (_call("time.sleep(1e6)"), TimedOut, ""),
    "prints": (
        _call(
            "while True:\n"
            "    os.write(1, b'\\xff\\x00garbage\\x1b[31m' * 4096)\n"
            "    os.write(2, b'x' * 65536)"
        ),
        TimedOut, "",
    ),
    "stops_itself": (_call("os.kill(os.getpid(), 19)"), TimedOut, ""),
}  # fmt: skip

# --- leaves processes behind, and answers rightly ------------------------------------------------
_FORKS = """
import os, subprocess, sys, time
def spawn():
    if os.fork() == 0:
        time.sleep(1e6)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1e6)
        os._exit(0)
    subprocess.Popen(["sleep", "1000000"], env={}, start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "1000000"], {})
        os._exit(0)
spawn()
"""
FORKS = {"forks": _FORKS + _LINE + "    return 2 * x + 1\n"}
FORKS_AND_DIES = {"forks_and_dies": _FORKS + _LINE + "    os._exit(9)\n"}
