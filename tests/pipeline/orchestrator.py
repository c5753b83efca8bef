"""A run in a process of its own, to be killed: `python orchestrator.py WHAT STUDY OUTPUT [FLEET]`.

WHAT: run or resume.
"""

import signal
import sys
from pathlib import Path

from roofmark import api
from roofmark.options import RunOptions


def main() -> None:
    # A shell starts background jobs deaf to it, and so their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, study, output, *fleet = sys.argv[1:]
    if what == "run":
        api.run(Path(study), output, options=RunOptions(device="cpu", fleet="".join(fleet)))
    else:
        api.resume(output)


if __name__ == "__main__":
    main()
