"""Run a foreign program behind a keeper: it ends with the run, however that ends.

In: a command line (`python -m roofmark.bench.serving.tied COMMAND...`). Out: the program, as the
keeper's only child, in place of this module's own code.
"""

import os
import resource
import sys

from roofmark.bench.descendants import MARK
from roofmark.bench.keeper import keep


def main() -> None:
    """Become the keeper of the program that the command line names."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    command = sys.argv[1:]

    def work() -> None:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(127)

    # The mark begins with its starter, who may have been killed while Python was starting here.
    keep(work, close=(), parent=int(os.environ[MARK].partition("-")[0]))


if __name__ == "__main__":
    main()
