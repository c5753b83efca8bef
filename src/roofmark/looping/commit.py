"""The commit of a kept candidate: exactly its files, with trailers whose numbers are the bundle's.

In: a git work tree, the files before and after, the try, its confirmation's verdict. Out: one
commit, made once however often it is asked for.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from roofmark.analysis.verdict import Estimate, Verdict
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.git import GitFailed, run_git
from roofmark.looping.duel import CANDIDATE
from roofmark.looping.files import put
from roofmark.looping.tries import Try
from roofmark.reports.wording import one_line, shorten

# Chosen: a subject that fits a one-line log, and of each rejected idea what a line of it says.
_SUBJECT, _TOLD = 72, 72


def check_work_tree(folder: Path) -> None:
    """Check that commits can be made there. Raises: BundleError RM421."""
    _git(folder, "rev-parse", "--is-inside-work-tree")
    _git(folder, "var", "GIT_COMMITTER_IDENT")


def commit_kept(
    folder: Path, before: Mapping[str, str], after: Mapping[str, str], message: str
) -> None:
    """Put `after` in the work tree and commit those files alone, unless that is done already.

    Raises: BundleError RM421 when a file holds neither `before` nor `after`, or git refuses.
    """
    for name in after:
        there = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if there not in (before[name].encode(), after[name].encode()):
            raise _refused(f"{name} was changed by somebody else", folder)
    for name, text in after.items():
        put(folder / name, text.encode())
    if _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *after):
        _git(folder, "commit", "--quiet", "--only", "-m", message, "--", *after)


def render_message(
    kept: Try, confirmed: Bundle, verdict: Verdict, lost: Sequence[Try], files: Sequence[str]
) -> str:
    """Return the commit's message. lost: the tries since the last kept one. files: that change."""
    study, note = confirmed.study, kept.note
    overall = next(each for each in verdict.overall if each.solution == CANDIDATE)
    cells = [cell for cell in verdict.cells if cell.solution == CANDIDATE]
    fell = ", ".join(f"{n} {name}" for name, n in overall.counts.items() if n)
    gain = getattr(kept.confirmation, "speedup", None)
    held = sum(w.held_out for w in study.workloads)
    # What a proposer wrote is one line of text, whatever it holds: git takes no NUL, `git log`
    # sends the rest to a terminal, and a command line has an end.
    what = one_line(note.hypothesis) or f"candidate of try {kept.number}"
    rejected = [one_line(note.rejected)] if note.rejected else []
    for each in lost:
        idea = shorten(one_line(each.note.hypothesis), _TOLD)
        rejected.append(f"try {each.number} ({each.ending}) {idea}".strip())
    trailers = {
        "Constraint": one_line(note.constraint)
        or f"only {', '.join(files)} may change; outputs within the study's tolerance",
        "Rejected": "; ".join(rejected) or "nothing",
        "Confidence": f"{_speedup(gain)} over the incumbent, level {verdict.level:.6g}, "
        f"margin {verdict.margin:.2%}, {verdict.processes} process sets; bundle {verdict.bundle}",
        "Scope-risk": f"{len(cells)} workloads ({held} held out): {fell}",
        "Reversibility": "git revert of this commit restores the incumbent",
        "Directive": one_line(note.directive)
        or "measure again before relying on it on another device",
        "Tested": f"{verdict.device_name}, {verdict.tier} tier, {verdict.cache} cache, "
        f"{study.definition.reference} as reference, {len(study.wrong)} negative controls",
        "Not-tested": "other devices, other shapes, and use inside a larger program",
    }
    lines = [f"{name}: {' '.join(text.split())}" for name, text in trailers.items()]
    return "\n".join([f"{verdict.study}: {what}"[:_SUBJECT], "", *lines]) + "\n"


def _speedup(speedup: object) -> str:
    if not isinstance(speedup, Estimate):
        return "faster"
    return f"{speedup.value:.4g}x ({speedup.low:.4g}-{speedup.high:.4g})"


def _git(folder: Path, *words: str) -> str:
    try:
        return run_git(folder, *words)
    except GitFailed as error:
        raise _refused(str(error), folder) from error


def _refused(fact: str, folder: Path) -> BundleError:
    mend = "Mend that and start the same loop again; it goes on where it was."
    return BundleError(problem("RM421", fact, str(folder), mend))
