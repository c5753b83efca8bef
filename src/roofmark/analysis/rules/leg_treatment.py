"""RM521: what makes a leg what it is called cannot be seen in it."""

from roofmark.analysis.rules import rule


@rule(
    "RM521",
    "the leg's treatment is not visible",
    per="solution",
    moves="invalid",
    subject="engines",
    fires={"unseen": ("process set 1: FLASH should be '1'; in 1 of 1 processes it is '0'",)},
    silent={"unseen": ()},
)
def treatment_unseen(unseen: tuple[str, ...]) -> str:
    """Something that the leg declares in `treatment` was looked for and not found in it.

    Why it matters: a variable that a parent process swallows, or a kernel that falls back, makes
    both sides of a comparison the same engine; an honest measurement then says that the treatment
    does nothing, or that noise is its effect.
    What to do: see how the engine hands its environment to its workers, and name the worker with
    Treatment(process=...); look at the leg's kernel table for what ran instead.
    It cannot be accepted.
    """
    more = f" (and {len(unseen) - 3} more)" if len(unseen) > 3 else ""
    return "; ".join(unseen[:3]) + more
