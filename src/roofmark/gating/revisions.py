"""Revisions: a study's folder as it was at a commit, in a scratch folder.

In: a study in a git work tree, a revision. Out: the same study in a checkout of that revision. The
checkout goes through an index file of its own, so neither the work tree, nor its index, nor git's
list of work trees is touched; it is a plain folder, gone with the scratch folder that holds it.
"""

from dataclasses import dataclass
from pathlib import Path

from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.git import GitFailed, run_git

# Chosen: as many digits as git itself shows by default in most repositories.
_SHORT = 9


@dataclass(frozen=True)
class Revision:
    """A study at some state of its repository. study: its file or folder there; name: in words."""

    study: Path
    name: str


def at_work_tree(study: Path) -> Revision:
    """Return the study as it lies in the work tree. Raises: StudyError RM436."""
    root, _ = _root_of(study)
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()[:_SHORT]
    folder = study if study.is_dir() else study.parent
    changed = _git(folder, "status", "--porcelain", "--", ".")
    return Revision(study, f"work tree at {commit}{', changed' if changed.strip() else ''}")


def at_commit(study: Path, revision: str, scratch: Path) -> Revision:
    """Check a revision out into `scratch`, which may not exist yet.

    Raises: StudyError RM436 when there is no such revision, or no such study at it.
    """
    root, inside = _root_of(study)
    commit = _commit_of(root, revision)
    tree, index = scratch / "tree", scratch / "index"
    tree.mkdir(parents=True)
    own = {"GIT_INDEX_FILE": str(index)}
    _git(root, "read-tree", commit, variables=own)
    _git(root, "checkout-index", "--all", "--force", f"--prefix={tree}/", variables=own)
    found = tree / inside
    if not (found / "study.py" if found.is_dir() else found).is_file():
        fact = f"there is no {inside.as_posix()} with a study.py at {revision}"
        mend = "Name a revision that has the study."
        raise StudyError(problem("RM436", fact, str(study), mend))
    name = commit[:_SHORT]
    return Revision(found, name if commit.startswith(revision) else f"{revision} ({name})")


def _root_of(study: Path) -> tuple[Path, Path]:
    """Return the repository's work tree, and the study's path inside it."""
    study = study.resolve()
    if not study.exists():
        mend = "Name a study.py or its folder."
        raise StudyError(problem("RM101", "there is no such study", str(study), mend))
    folder = study if study.is_dir() else study.parent
    root = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n")).resolve()
    return root, study.relative_to(root)


def _commit_of(root: Path, revision: str) -> str:
    """Return a revision's full name; one that begins with a dash is no option."""
    spelled = f"{revision}^{{commit}}"
    try:
        return run_git(root, "rev-parse", "--verify", "--end-of-options", spelled).strip()
    except GitFailed as error:
        fact = f"git knows no commit {revision!r}"
        mend = "Name a commit, branch or tag; a shallow clone has to fetch it first."
        raise StudyError(problem("RM436", fact, str(root), mend)) from error


def _git(folder: Path, *words: str, variables: dict[str, str] | None = None) -> str:
    try:
        return run_git(folder, *words, variables=variables)
    except GitFailed as error:
        mend = "Run it where git works, in the repository that holds the study."
        raise StudyError(problem("RM436", str(error), str(folder), mend)) from error
