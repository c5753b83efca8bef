"""A run in a process of its own, to be killed: `python orchestrator.py WHAT STUDY OUTPUT [FLEET]`.

WHAT: run, resume, or loop (over solution "slow", with the candidates beside the study).
"""

import signal
import sys
from pathlib import Path

from roofmark import api
from roofmark.looping import from_folder, loop
from roofmark.options import LoopOptions, RunOptions


def main() -> None:
    # A shell starts background jobs deaf to it, and so their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, study, output, *fleet = sys.argv[1:]
    if what == "run":
        api.run(Path(study), output, options=RunOptions(device="cpu", fleet="".join(fleet)))
    elif what == "resume":
        api.resume(output)
    else:
        options = LoopOptions(device="cpu", margin=0.1, iterations=1, fleet="".join(fleet))
        tried = from_folder(Path(study).parent / "candidates")
        loop(Path(study), "slow", tried, output, options=options)


if __name__ == "__main__":
    main()
