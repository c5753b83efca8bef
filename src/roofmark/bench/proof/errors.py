"""The error of building, apart from everything that builds, so that anybody can catch it."""

from roofmark.bench.messages import FailureKind


class BuildError(Exception):
    """A solution could not be built, loaded or proved; `log` is what the tools said."""

    failure_kind: FailureKind = "build"

    def __init__(self, reason: str, log: str = "") -> None:
        """Keep the reason, and the log beside it."""
        super().__init__(reason)
        self.log = log
