"""The shelf: what lies in the folder now, kept current by one thread while somebody looks.

In: a folder. Out: `Snapshot`s, and opened bundles by the names in them. Judged bundles come from
the index that `log` and `query` use; what it does not know is judged in the background, so a page
never waits for it. A request names an entry of the snapshot and never a path, so nothing outside
the folder, and nothing behind a link, can be asked for.
"""

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from roofmark.analysis.history import Damaged
from roofmark.analysis.summaries import RunSummary
from roofmark.analysis.verdict import Verdict
from roofmark.api import judge
from roofmark.bundle import MANIFEST, Bundle, open_bundle
from roofmark.bundle_errors import damaged
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.evidence import Trace
from roofmark.records import Missing, digest
from roofmark.remembering.found import Folder, Found
from roofmark.remembering.index import Index, cache_folder, unpack_summary, unpack_verdict
from roofmark.remembering.reading import read_all, survey
from roofmark.viewing.entries import Entry
from roofmark.viewing.underway import Underway, glance, read_underway, stamp_of

# Chosen: a page that follows asks every second; a look takes 0.1 s for 1,000 bundles, and may take
# at most a tenth of the time.
_PAUSE, _SHARE = 1.0, 10
# Chosen: a page is asked for every few seconds; without one for so long nobody looks.
_PATIENCE = 30.0
# Chosen: a reader goes back and forth between two or three bundles of some 10 MB each.
_OPEN = 4


@dataclass(frozen=True)
class Snapshot:
    """The folder at one moment.

    entries: by name. trouble: why the folder cannot be looked into, or "". took: seconds of the
    look. version: differs whenever anything else does.
    """

    entries: dict[str, Entry]
    trouble: str
    took: float
    version: str

    @property
    def waiting(self) -> int:
        """How many bundles are not judged yet."""
        return sum(each.state == "reading" for each in self.entries.values())

    @property
    def every(self) -> float:
        """Seconds after which it is worth asking again."""
        return max(_PAUSE, _SHARE * self.took)


class Opened:
    """One bundle that was opened, with its verdict. underway: more of it while it is not sealed."""

    def __init__(
        self, bundle: Bundle, verdict: Verdict | Missing, underway: Underway | None = None
    ) -> None:
        """Keep what was read."""
        self.bundle, self.verdict, self.underway = bundle, verdict, underway

    @property
    def judged(self) -> Verdict:
        """The verdict. Raises: BundleError RM481 while nothing follows."""
        if isinstance(self.verdict, Missing):
            mend = "Wait until the first processes have ended."
            raise BundleError(problem("RM481", self.verdict.reason, self.bundle.name, mend))
        return self.verdict

    @cached_property
    def traces(self) -> tuple[Trace, ...]:
        """Every trace. Raises: BundleError RM440."""
        return tuple(self.bundle.traces())


class Shelf:
    """A folder that is looked at; `start` and `stop` its thread."""

    def __init__(self, folder: Path, *, cache: Path | None = None) -> None:
        """Look at `folder`. cache: where the index is; by default in the user's cache folder."""
        self.title = folder.resolve().name or str(folder.resolve())
        self._source = Folder(folder)
        self._cache = cache or cache_folder()
        self._known: dict[str, RunSummary] = {}
        self._failed: dict[str, tuple[str, str]] = {}
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()
        self._asked, self._stopping, self._fresh = (threading.Event() for _ in range(3))
        self._snapshot = Snapshot(entries={}, trouble="", took=0.0, version="")
        self._last = 0.0
        self._thread = threading.Thread(target=self._watch, name="shelf", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; return when the thread has ended."""
        self._stopping.set()
        self._asked.set()
        self._thread.join(timeout=10.0)

    def now(self) -> Snapshot:
        """Return the last snapshot; the first one, and the first after a pause, is waited for."""
        self._last = time.monotonic()
        self._asked.set()
        self._fresh.wait(timeout=60.0)
        return self._snapshot

    def settled(self, *, limit: float = 60.0) -> Snapshot:
        """Return the first snapshot in which every bundle is judged. Raises: TimeoutError."""
        until = time.monotonic() + limit
        while (found := self.now()).waiting or not found.version:
            if time.monotonic() > until:
                raise TimeoutError(f"{found.waiting} bundles are not judged after {limit:g} s")
            time.sleep(0.01)
        return found

    def entry(self, name: str) -> Entry:
        """Return what bears this name. Raises: BundleError RM481."""
        found = self.now().entries.get(name)
        if found is None:
            fact = f"there is no bundle {name[:200]!r}"
            mend = "Go back to the list; it may have been moved or deleted."
            raise BundleError(problem("RM481", fact, self.title, mend))
        return found

    def path(self, entry: Entry) -> Path:
        """Return the folder of an entry. Raises: BundleError RM481 for a link, RM404 for damage."""
        if entry.state == "damaged":
            raise damaged([entry.reason], entry.name)
        with self._source.fetched(entry.found) as path:
            if path.resolve() != path:
                mend = "Put the bundle itself there; links are not followed."
                raise BundleError(problem("RM481", "a link is in its place", entry.name, mend))
            return path

    def open(self, entry: Entry) -> Opened:
        """Open a bundle, sealed or not; every byte is checked unless nothing changed since.

        A sealed one's verdict is the index's, or judged now. Raises: BundleError.
        """
        path = self.path(entry)
        stamp = stamp_of(path) if entry.is_underway else entry.found.stamp
        key = f"{entry.found.place}\n{entry.state}\n{stamp}"
        with self._lock:
            if stamp and key in self._opened:
                self._opened.move_to_end(key)
                return self._opened[key]
        opened = self._open_now(path, entry)
        with self._lock:
            self._opened[key] = opened
            while len(self._opened) > _OPEN:
                self._opened.popitem(last=False)
        return opened

    def _open_now(self, path: Path, entry: Entry) -> Opened:
        if entry.is_underway:
            so_far = read_underway(path)
            return Opened(so_far.bundle, so_far.verdict, so_far)
        bundle = open_bundle(path)
        return Opened(bundle, self._verdict(bundle))

    def _verdict(self, bundle: Bundle) -> Verdict:
        with Index(self._cache) as index:
            kept = index.kept(bundle.digest)
        if kept is not None:
            with contextlib.suppress(ValueError):
                return unpack_verdict(kept.verdict)
        return judge(bundle)

    # --- the thread ------------------------------------------------------------------------------
    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception as error:
                # Sealed or not, what lies there may be anything; the next look may be better.
                fact = f"looking failed, please report it: {type(error).__name__}: {error}"
                self._publish(Snapshot(entries={}, trouble=fact, took=0.0, version=fact))
            self._stopping.wait(self._snapshot.every)
            self._asked.clear()
            if time.monotonic() - self._last > _PATIENCE and not self._stopping.is_set():
                self._fresh.clear()
                self._asked.wait()

    def _look(self) -> None:
        """Look once, then judge what is new, and tell of it as it comes."""
        started = time.monotonic()
        with Index(self._cache) as index:
            seen = survey(self._source, index)
            self._recall(index, [mark for _, mark in seen.found if mark])
            marks = {found.place: mark for found, mark in seen.found if mark in self._known}
            sealed = [found for found, _ in seen.found if self._is_sealed(found)]
            self._failed = {f.place: self._failed[f.place] for f in sealed if self._has_failed(f)}
            wanted = [f for f in sealed if f.place not in marks and f.place not in self._failed]
            found = [each for each, _ in seen.found]
            took = time.monotonic() - started
            self._tell(found, marks, seen.damaged, took)
            told = time.monotonic()
            for each, read in read_all(self._source, wanted, index):
                if self._stopping.is_set():
                    return
                if isinstance(read, str):
                    self._failed[each.place] = (each.stamp, read)
                else:
                    marks[each.place] = read.kept.bundle
                    self._known[read.kept.bundle] = unpack_summary(read.kept)
                # Chosen: a page that follows shows progress twice a second.
                if time.monotonic() - told > 0.5:
                    self._tell(found, marks, seen.damaged, took)
                    told = time.monotonic()
            if wanted:
                self._tell(found, marks, seen.damaged, took)

    def _recall(self, index: Index, marks: Sequence[str]) -> None:
        """Ask the index for summaries that are not held yet."""
        self._known |= index.summaries(mark for mark in marks if mark not in self._known)

    def _has_failed(self, found: Found) -> bool:
        stamp, _ = self._failed.get(found.place, ("", ""))
        return bool(stamp) and stamp == found.stamp

    def _is_sealed(self, found: Found) -> bool:
        with self._source.fetched(found) as path:
            return (path / MANIFEST).exists()

    def _tell(
        self,
        found: Sequence[Found],
        marks: dict[str, str],
        faulty: Sequence[Damaged],
        took: float,
    ) -> None:
        """Publish a snapshot."""
        entries: dict[str, Entry] = {}
        first: dict[str, str] = {}
        for each in found:
            made = self._entry(each, marks.get(each.place, ""), first)
            entries[made.name] = made
        # A folder that is gone or closed is found as one damaged thing with the folder's name.
        trouble = "" if found or len(faulty) != 1 else faulty[0].reason
        nowhere = Found("", "", "")
        for each in () if trouble else faulty:
            entries[each.name] = Entry(each.name, "damaged", nowhere, reason=each.reason)
        lines = (f"{e.name} {e.state} {e.digest} {e.reason} {e.seen}" for e in entries.values())
        version = digest("\n".join([trouble, *lines]).encode("utf-8", "backslashreplace"))
        self._publish(Snapshot(entries=entries, trouble=trouble, took=took, version=version))

    def _publish(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._fresh.set()

    def _entry(self, found: Found, mark: str, first: dict[str, str]) -> Entry:
        if mark in self._known:
            original = first.setdefault(mark, found.name)
            reason = "" if original == found.name else f"a copy of {original}"
            return Entry(found.name, "judged", found, reason=reason, summary=self._known[mark])
        if found.place in self._failed:
            return Entry(found.name, "damaged", found, reason=self._failed[found.place][1])
        if self._is_sealed(found):
            return Entry(found.name, "reading", found)
        with self._source.fetched(found) as path:
            seen = glance(path)
        return Entry(found.name, seen.state, found, reason=seen.reason, seen=seen)
