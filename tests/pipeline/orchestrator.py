"""A run in a process of its own, to be killed: `python orchestrator.py run|resume STUDY OUTPUT`."""

import sys
from pathlib import Path

from roofmark import api
from roofmark.options import RunOptions


def main() -> None:
    what, study, output = sys.argv[1:]
    if what == "run":
        api.run(Path(study), output, options=RunOptions(device="cpu"))
    else:
        api.resume(output)


if __name__ == "__main__":
    main()
