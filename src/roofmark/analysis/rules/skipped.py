"""RM315: solutions of the study were not run on this machine."""

from roofmark.analysis.rules import rule


@rule(
    "RM315",
    "solutions were not run here",
    per="study",
    moves="",
    fires={"skipped": {"hopper": "it needs sm_90a"}},
    silent={"skipped": {}},
)
def not_run(skipped: dict[str, str]) -> str:
    """Some solutions need a device or a package that this machine does not have.

    Why it matters: the verdict says nothing about them, neither good nor bad.
    What to do: run the study where they run. There is nothing to accept.
    """
    return "; ".join(f"{name}: {reason}" for name, reason in sorted(skipped.items()))
