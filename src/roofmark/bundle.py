"""The bundle: a sealed folder of plain files that keeps everything a verdict needs.

In (writing): records, source bytes, logs, each put in place by one atomic rename. In (reading): a
folder that may be hostile: every path is checked before it is opened, nothing in it is executed,
sizes are bounded. Out: records.

    manifest.json                          written last; sha256 and size of every other file
    study.json  environment.json  run.json
    sources/<sha256>                       every source, as built
    builds/<sha256>.json                   proof of build, by digest of the record
    traces/<workload>/<solution>.jsonl     one trace per line and process
    profiles/<workload>/<solution>.json    what a profiler saw of one call; most bundles have none
    stations/<station>.json                each device of a fleet; a run on one machine has none
    serving/...                            of engines: requests/<workload>/<solution>/p0.json,
                                           stays/<solution>/p0.json, tables/<workload>/<leg>.json
    logs/<solution>/<name>.txt             what compiler, worker and profiler said
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from roofmark import __version__
from roofmark.bundle_errors import (
    cannot_write,
    damaged,
    not_a_bundle,
    not_ours,
    sealed_already,
    unsealed,
)
from roofmark.bundle_files import MANIFEST as MANIFEST
from roofmark.bundle_files import (
    MAX_FILES,
    checked_name,
    is_strange,
    list_files,
    read_inside,
    read_plain,
    reason_of,
    sync_folder,
)
from roofmark.bundle_lock import LOCK as LOCK
from roofmark.bundle_lock import empty_folder, lock_folder
from roofmark.bundle_manifest import Entry, decode_manifest
from roofmark.bundle_manifest import Manifest as Manifest
from roofmark.bundle_places import Seen, place_of
from roofmark.bundle_sense import check_asked, check_filed, impossible, is_filed_right, roles_of
from roofmark.evidence import Build, Environment, Run, Trace
from roofmark.profiled import PairProfile
from roofmark.records import FORMAT, Record, decode, digest, encode, encode_pretty
from roofmark.served import LegProfiled, Served, Stay
from roofmark.showing import shown_as
from roofmark.stations import Station
from roofmark.study import Study
from roofmark.terminal_text import file_name

# Chosen: 40 times the largest bundle that was measured. As Python values it takes 16 times as much
# at worst, 2 GiB; what claims more is refused before it is read.
MAX_BUNDLE_BYTES = 2**27
# Chosen: 1,000 workloads and 12 solutions in 12 sets of processes stay below it.
MAX_TRACES = 200_000
STATIONS = "stations/"
R = TypeVar("R", bound=Record)


class Bundle(Seen):
    """A bundle opened for reading; every byte was checked against the manifest."""

    def __init__(self, path: Path, files: dict[str, bytes], seal: str) -> None:
        """Use `open_bundle`."""
        self.path = path
        self.digest = seal
        self._files = files

    @cached_property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @cached_property
    def study(self) -> Study:
        """What was asked. Raises: BundleError RM440 when no run could have been asked it."""
        study = self._record("study.json", Study)
        check_asked(study, self.name)
        return study

    @cached_property
    def environment(self) -> Environment:
        """The machine."""
        return self._record("environment.json", Environment)

    @cached_property
    def run(self) -> Run:
        """How the study was run."""
        return self._record("run.json", Run)

    def traces(self) -> Iterator[Trace]:
        """Yield every trace, by file and then by process.

        Raises: BundleError RM440 for one that no run could have filed where it stands.
        """
        roles = roles_of(self.study)
        count = 0
        for path in sorted(self._files):
            if path.startswith("traces/"):
                for number, line in enumerate(self._files[path].splitlines(), 1):
                    where = f"{path}:{number}"
                    trace = decode(line, Trace, where=where)
                    check_filed(trace, path, roles, where)
                    count += 1
                    if count > MAX_TRACES:
                        raise impossible(f"more than {MAX_TRACES} traces", self.name)
                    yield trace

    def build(self, build_digest: str) -> Build:
        """Return the proof of build of that digest."""
        return self._record(f"builds/{build_digest}.json", Build)

    def stations(self) -> tuple[Station, ...]:
        """Return every device that took part in a fleet's run, or was refused; else nothing."""
        found = sorted(path for path in self._files if path.startswith(STATIONS))
        return tuple(self._record(path, Station) for path in found)

    def source(self, sha256: str) -> bytes:
        """Return a source file's bytes."""
        return self._bytes(f"sources/{sha256}")

    def logs(self) -> dict[str, bytes]:
        """Return every log, by path."""
        return {path: data for path, data in self._files.items() if path.startswith("logs/")}

    def files(self) -> dict[str, bytes]:
        """Return everything in it but the manifest, by path."""
        return dict(self._files)

    def _repr_html_(self) -> str:
        return shown_as("html", self)

    def _repr_markdown_(self) -> str:
        return shown_as("markdown", self)

    def _record(self, path: str, kind: type[R]) -> R:
        return decode(self._bytes(path), kind, where=f"{self.name}/{path}")

    def _bytes(self, path: str) -> bytes:
        if path not in self._files:
            raise damaged([f"{path} is missing"], self.path)
        return self._files[path]


def open_bundle(path: str | Path) -> Bundle:
    """Open a sealed bundle and check every byte of it.

    Raises: BundleError RM401 (not a bundle), RM403 (not sealed), RM404 (damaged), RM405 (newer).
    """
    path = Path(path)
    manifest, raw = _read_manifest(path)
    files, wrong = _read_files(path, manifest)
    if wrong:
        raise damaged(wrong, path)
    return Bundle(path, files, hashlib.sha256(raw).hexdigest())


def verify_bundle(path: str | Path) -> list[str]:
    """Return one sentence for each changed, missing or added file; empty means intact.

    Raises: BundleError as `open_bundle`, but not for damage, which is the answer here.
    """
    manifest, _ = _read_manifest(Path(path))
    return _read_files(Path(path), manifest)[1]


class BundleWriter:
    """A bundle being written; one at a time per folder, resumable after a kill at any moment."""

    def __init__(self, path: str | Path, *, force: bool = False) -> None:
        """Lock the folder, making it if need be; `force` empties one that holds a bundle.

        Raises: BundleError RM406 when another process writes it, RM407 when it is sealed already,
            RM414 when it holds links.
        """
        self.path = Path(path)
        # Asked before and after locking: a sealed folder gets no lock file, and one that another
        # process sealed in between is seen too.
        if not force and (self.path / MANIFEST).exists():
            raise sealed_already(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if force and (self.path / "study.json").exists():
            empty_folder(self.path)
        if (self.path / MANIFEST).exists():
            self.close()
            raise sealed_already(self.path)
        # Refused now and not when it is sealed, hours later; through a link we would write outside.
        links = [name for name in list_files(self.path) if (self.path / name).is_symlink()]
        if links:
            self.close()
            raise not_ours(links, self.path)
        for leftover in list(self.path.rglob("*.partial")):
            # A workload may be called "x.partial"; its folder is no leftover.
            if not leftover.is_dir():
                leftover.unlink()

    def __enter__(self) -> "BundleWriter":
        """Return itself; leaving the block releases the lock."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.close()

    def close(self) -> None:
        """Release the folder without sealing it."""
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def has(self, path: str) -> bool:
        """Return whether a file is there already."""
        return (self.path / path).exists()

    def read(self, path: str, kind: type[R]) -> R:
        """Return a record written earlier, by this run or the one it resumes.

        Raises: BundleError RM404 when it was never written, RM402 when it is no such record.
        """
        return decode(self.read_bytes(path), kind, where=path)

    def read_bytes(self, path: str) -> bytes:
        """Return a file written earlier. Raises: BundleError RM404 when it cannot be read."""
        try:
            return read_plain(self.path / checked_name(path))
        except OSError as error:
            raise damaged([f"{path} cannot be read: {reason_of(error)}"], self.path) from error

    def copy(self, bundle: Bundle) -> None:
        """Put every file of a sealed bundle in place; its manifest is none of them."""
        for path, data in bundle.files().items():
            self._put(path, data)

    def write(self, path: str, record: Record) -> None:
        """Put a record in place, replacing what was there."""
        self._put(path, encode_pretty(record))

    def write_source(self, data: bytes) -> str:
        """Keep a source file; return its sha256."""
        name = digest(data)
        self._put(f"sources/{name}", data)
        return name

    def write_build(self, build: Build) -> str:
        """Keep a proof of build; return its digest."""
        name = digest(build)
        if not self.has(f"builds/{name}.json"):
            self.write(f"builds/{name}.json", build)
        return name

    def write_log(self, solution: str, name: str, text: bytes) -> None:
        """Keep what a tool or a worker said; nothing is kept of silence."""
        if text:
            self._put(f"logs/{solution}/{name}.txt", text)

    def write_profile(self, profile: PairProfile) -> None:
        """Keep what a profiler saw of one solution on one workload."""
        self.write(place_of(profile), profile)

    def write_station(self, station: Station) -> None:
        """Keep what a device of a fleet is."""
        self.write(f"{STATIONS}{station.id}.json", station)

    def stations(self) -> list[Station]:
        """Return the devices of a fleet written so far."""
        found = sorted(self.path.glob(f"{STATIONS}*.json"))
        return [decode(read_plain(path), Station, where=path) for path in found]

    def remove(self, path: str) -> None:
        """Take back a file that was put in place."""
        (self.path / checked_name(path)).unlink()
        sync_folder((self.path / path).parent)

    def write_served(self, record: Served | Stay | LegProfiled) -> None:
        """Keep what a client or an observer saw of an engine."""
        self._put(place_of(record), encode(record))

    def append(self, trace: Trace) -> None:
        """Add a finished trace; it is on disk, whole, when this returns."""
        path = f"traces/{trace.workload}/{trace.solution}.jsonl"
        before = self.read_bytes(path) if self.has(path) else b""
        self._put(path, before + encode(trace) + b"\n")

    def traces(self) -> list[Trace]:
        """Return the traces written so far."""
        return [
            decode(line, Trace, where=path)
            for path in list_files(self.path)
            if path.startswith("traces/") and path.endswith(".jsonl")
            for line in self.read_bytes(path).splitlines()
        ]

    def seal(self, plugins: dict[str, str]) -> str:
        """Write the manifest; from now on any change is damage. Return the bundle's digest.

        Raises: BundleError RM414 when the folder holds files that no bundle may hold.
        """
        strangers = [name for name in list_files(self.path) if is_strange(self.path, name)]
        if strangers:
            raise not_ours(strangers, self.path)
        files = {
            name: Entry(sha256=digest(data), bytes=len(data))
            for name in list_files(self.path)
            for data in ((self.path / name).read_bytes(),)
        }
        manifest = Manifest(format=FORMAT, roofmark=__version__, plugins=plugins, files=files)
        self._put(MANIFEST, encode_pretty(manifest))
        # Whoever still waits for this lock finds the manifest; the file itself is no evidence.
        with contextlib.suppress(OSError):
            (self.path / LOCK).unlink()
        return digest((self.path / MANIFEST).read_bytes())

    def _put(self, path: str, data: bytes) -> None:
        """Write beside the target, force it to disk, and rename: all of it is there or nothing."""
        target = self.path / checked_name(path)
        partial = target.with_name(target.name + ".partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise cannot_write(target, error) from error


def _read_manifest(path: Path) -> tuple[Manifest, bytes]:
    try:
        if not path.is_dir():
            raise not_a_bundle(path, "there is no such folder")
        if not (path / MANIFEST).exists():
            if (path / "study.json").is_file():
                raise unsealed(path)
            raise not_a_bundle(path, f"the folder holds no {MANIFEST}")
        raw = read_plain(path / MANIFEST)
    except OSError as error:
        why = f"{MANIFEST} cannot be read: {reason_of(error)}"
        raise not_a_bundle(path, why) from error
    manifest = decode_manifest(raw, path)
    if len(manifest.files) > MAX_FILES:
        raise not_a_bundle(path, f"the manifest lists {len(manifest.files)} files")
    if len({name.lower() for name in manifest.files}) < len(manifest.files):
        # On a file system that does not tell case apart one would replace the other.
        raise not_a_bundle(path, "the manifest lists two names that differ by case alone")
    total = sum(entry.bytes for entry in manifest.files.values())
    if total > MAX_BUNDLE_BYTES:
        raise not_a_bundle(path, f"the manifest lists {total} bytes")
    return manifest, raw


def _read_files(path: Path, manifest: Manifest) -> tuple[dict[str, bytes], list[str]]:
    wrong: list[str] = []
    files: dict[str, bytes] = {}
    for name, entry in manifest.files.items():
        try:
            data = read_inside(path, name, expected=entry.bytes)
        except OSError as error:
            gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
            wrong.append(f"{name} is missing" if gone else f"{name} is {reason_of(error)}")
            continue
        if data is None or digest(data) != entry.sha256:
            wrong.append(f"{name} was changed")
        elif not is_filed_right(name, data, entry.sha256):
            wrong.append(f"{name} holds something of another digest")
        else:
            files[name] = data
    added = set(list_files(path)) - set(manifest.files)
    wrong += [f"{file_name(name)} was added" for name in sorted(added)]
    return files, wrong
