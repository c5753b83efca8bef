"""The state of a loop: its folder, what it was asked, its journal, and every version so far.

In: the plan and the loaded study of a folder. Out: places of files, versions by the number of their
try (0 is the study's own).
"""

from dataclasses import dataclass, field
from pathlib import Path

from roofmark.bundle import Bundle
from roofmark.bundle_files import read_plain
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.loading import LoadedStudy
from roofmark.looping.change import changeable_files, fingerprint
from roofmark.looping.journal import Journal
from roofmark.looping.params import find_params, rewrite_params
from roofmark.looping.tries import Candidate, LoopPlan, Version
from roofmark.records import decode


@dataclass(frozen=True)
class State:
    """One loop, as far as it is.

    fleet: where runs are measured, as the loop was last started; "" where it began.
    files, params: what a candidate may change. study_text: the loop's own study.py, in which the
    params stand; nothing where there are none. built: fingerprints of versions whose build is in
    the cache, or failed; on this machine, since the loop was last started.
    """

    folder: Path
    loaded: LoadedStudy
    plan: LoopPlan
    journal: Journal
    files: tuple[str, ...]
    params: tuple[str, ...]
    study_text: str
    fleet: str = ""
    built: set[str] = field(default_factory=set[str])

    def place(self, number: int) -> Path:
        """Return the folder of a try."""
        return self.folder / "tries" / f"{number:04d}"

    def run(self, number: int, what: str) -> Path:
        """Return the folder of a try's bundle; what: "first" or "confirmation"."""
        return self.place(number) / what

    def stored(self, number: int) -> Candidate:
        """Return the candidate of a try."""
        path = self.place(number) / "candidate.json"
        return decode(read_plain(path), Candidate, where=path)

    def version(self, number: int) -> Version:
        """Return the version of a try, the study's own for 0.

        Raises: BundleError RM423 when it is not what the journal says.
        """
        if number:
            version = self.stored(number).version
            kept = [t.fingerprint for t in self.journal.tries if t.number == number]
            if any(kept) and fingerprint(version) not in kept:
                raise changed_inside(self.place(number) / "candidate.json")
            return version
        files = {name: self.loaded.contents[name].decode() for name in self.files}
        return Version(files=files, params=self.loaded.study.solution(self.plan.solution).params)

    def texts(self, version: Version) -> dict[str, str]:
        """Return every file that says a version: study.py too, where params stand in it."""
        if not self.params:
            return version.files
        own = {name: version.params[name] for name in self.params}
        text = rewrite_params(self.study_text, self.plan.solution, own)
        return version.files | {self.plan.file: text}


def open_state(folder: Path, loaded: LoadedStudy, plan: LoopPlan, *, fleet: str = "") -> State:
    """Return the state of the loop in a folder. Raises: StudyError RM135, BundleError RM402."""
    text = _read(folder / "study" / plan.file)
    said = loaded.study.solution(plan.solution).params
    literal = find_params(text, plan.solution)
    return State(
        folder=folder,
        loaded=loaded,
        plan=plan,
        journal=Journal(folder),
        files=changeable_files(loaded, plan.solution),
        params=tuple(name for name, value in said.items() if literal.get(name) == value),
        study_text=text,
        fleet=fleet,
    )


def _read(path: Path) -> str:
    """Return the text as it is, ends of lines included; nothing where it is no Python text."""
    try:
        return path.read_bytes().decode() if path.suffix == ".py" else ""
    except UnicodeDecodeError:
        return ""


def seconds_of(bundle: Bundle) -> float:
    """Return the seconds for which a run held the device, in sessions that ended."""
    return sum(s.seconds for s in bundle.run.sessions if isinstance(s.seconds, float))


def changed_inside(path: Path) -> BundleError:
    """Return the error of a loop whose own files somebody changed."""
    fact = f"{path.name} is not what this loop wrote"
    mend = "Put it back as it was, or begin a new loop; keep proposers out of the loop's folder."
    return BundleError(problem("RM423", fact, str(path), mend))
