"""Why a solution is not measured: it cannot be built, proved, loaded, or called.

In: what the compiler, the binary or the entry shows. Out: exceptions that the bench turns into the
outcome of one solution; they never end a study, as a `RoofmarkError` would.
"""


class BuildError(Exception):
    """The solution could not be built, loaded, or proved; becomes the outcome BuildFailed.

    reason: one line for people. log: what the tool said, for the bundle; "" when none ran.
    """

    def __init__(self, reason: str, log: str = "") -> None:
        """Keep both parts apart; the text of the exception is the reason alone."""
        super().__init__(reason)
        self.reason = reason
        self.log = log

    def __reduce__(self) -> tuple[type["BuildError"], tuple[str, str]]:
        """Pickle with both parts, so that it crosses a process boundary whole."""
        return BuildError, (self.reason, self.log)


class EntryError(Exception):
    """The entry was called and did not keep its contract (count, type or layout of tensors)."""
