"""What can go wrong, in four parts: the fact with its value, where, what it means, what to do.

RoofmarkError
├── StudyError       RM1xx  the question is wrong; carries every problem found, not the first
├── BenchError       RM3xx  the machine or the harness cannot answer it
├── BundleError      RM4xx  evidence is damaged, foreign or already there
└── IntegrityError   RM5xx  a candidate touched what it may not touch

Libraries raise these; only `roofmark.cli` prints them and chooses an exit code.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, told completely."""

    code: str
    fact: str
    where: str = ""
    meaning: str = ""
    mend: str = ""

    def __str__(self) -> str:
        """Return the problem as people read it in a terminal."""
        lines = [f"error[{self.code}]: {self.fact}"]
        lines += [f"  {part}" for part in (self.where, self.meaning, self.mend) if part]
        return "\n".join(lines)


class RoofmarkError(Exception):
    """The root of everything that roofmark raises on purpose."""

    def __init__(self, *problems: Problem) -> None:
        """Carry one or more problems; there is no error without one."""
        if not problems:
            raise ValueError("a RoofmarkError needs at least one Problem")
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def code(self) -> str:
        """The code of the first problem."""
        return self.problems[0].code


class StudyError(RoofmarkError):
    """The study asks something that cannot be asked; holds every problem at once."""


class BenchError(RoofmarkError):
    """The machine or the harness cannot answer the study's question."""


class BundleError(RoofmarkError):
    """A bundle or a foreign file is damaged, too new, too large, or in the way."""


class ImportFailed(BundleError):
    """A file of another tool cannot be read; it is left as it was."""


class IntegrityError(RoofmarkError):
    """A candidate touched what it may not touch."""
