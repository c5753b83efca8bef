"""Promoting: the last kept candidate lies in best/ and, if asked, in one commit.

In: a loop's state. Out: files, a commit. Done twice it is done once, so a loop that was killed in
between does it again.
"""

from pathlib import Path

from roofmark import api
from roofmark.bundle import open_bundle
from roofmark.looping.commit import commit_kept, render_message
from roofmark.looping.files import overlay
from roofmark.looping.state import State


def promote(state: State, work_tree: Path | None) -> None:
    """Put the last kept candidate in best/ and commit it in a work tree, where one is given."""
    best = state.journal.best
    if not best:
        return
    kept = next(each for each in state.journal.tries if each.number == best)
    before, after = (state.texts(state.version(number)) for number in (kept.against, best))
    overlay(state.folder / "best", after.items())
    if work_tree is None:
        return
    changed = [path for path in after if before[path] != after[path]]
    lost = [t for t in state.journal.tries if kept.against < t.number < best]
    bundle = open_bundle(state.run(best, "confirmation"))
    message = render_message(kept, bundle, api.judge(bundle), lost, changed)
    commit_kept(work_tree, {p: before[p] for p in changed}, {p: after[p] for p in changed}, message)
