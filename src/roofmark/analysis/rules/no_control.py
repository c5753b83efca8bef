"""RM111: nothing tested the test."""

from roofmark.analysis.rules import rule


@rule(
    "RM111",
    "the study has no wrong kernel",
    per="study",
    moves="",
    subject="kernels",
    fires={"controls": {}},
    silent={"controls": {"zeros": {"B1": "incorrect"}}},
)
def no_control(controls: dict[str, dict[str, str]]) -> str:
    """The study has no negative control, so nobody has seen its gate refuse anything.

    Why it matters: a tolerance that is too wide lets wrong kernels pass, and looks the same as one
    that is right. (A delta rule without its delta once passed a published gate on every workload.)
    What to do: add one file under wrong/ that breaks the operator on purpose, and name it in
    Study(wrong=...). There is nothing to accept.
    """
    return "" if controls else "no negative control"
