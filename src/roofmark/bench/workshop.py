"""The workshop: sources become posts, each with a private folder and, if compiled, a proved binary.

In: a study's sources as bytes. Out: `Post`s for the crews and the digests of the proofs of build. A
folder holds one solution's own files and nothing else, so what was not declared cannot be used.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from roofmark.bench.build import build_library
from roofmark.bench.orders import Post
from roofmark.bench.shelf import Shelf
from roofmark.evidence import Build, Environment
from roofmark.records import Missing
from roofmark.study import Device, Solution, Study, twin_of


def skip_reason(solution: Solution, device: Device) -> str:
    """Return why a solution is not run on this device, or nothing."""
    if device not in solution.runs_on:
        return f"it runs on {' and '.join(solution.runs_on)}; this run is on {device}"
    missing = [name for name in solution.requires if not _installed(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


def skip_reasons(study: Study, device: Device) -> dict[str, str]:
    """Return solution or control -> why it is not run; who waits for one that is not, is not."""
    reasons = {s.name: skip_reason(s, device) for s in (*study.solutions, *study.wrong)}
    for solution in study.solutions:
        first = solution
        while not reasons[solution.name] and isinstance(first.after, str):
            first = study.solution(first.after)
            if reasons[first.name]:
                reasons[solution.name] = f"it comes after {first.name}; {reasons[first.name]}"
    return {name: why for name, why in reasons.items() if why}


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # the package around a module is not there either
        return False


class Workshop:
    """Builds what a study's solutions need, once per run."""

    def __init__(
        self, study: Study, contents: Mapping[str, bytes], *, scratch: Path, cache: Path
    ) -> None:
        """Work in `scratch`; keep compiled libraries in `cache`."""
        self._study = study
        self._contents = contents
        self._scratch = scratch
        self._cache = cache
        self.posts: dict[str, Post] = {}
        self.proofs: dict[str, str] = {}

    def prepare(self, solution: Solution, environment: Environment, writer: Shelf) -> None:
        """Make the post of a solution, and of a baseline's twin. Raises: BuildError."""
        folder = self._lay_out(solution, solution.name)
        library, binary = "", ""
        if solution.language != "python":
            build, path = self._compile(solution, folder, environment)
            library, binary = str(path), str(build.binary)
            self.proofs[solution.name] = writer.write_build(build)
            writer.write_log(solution.name, "build", path.with_suffix(".log").read_bytes())
        self.posts[solution.name] = Post(solution.name, solution, folder, library, binary)
        if solution.name == self._study.baseline:
            twin = twin_of(solution.name)
            own = self._lay_out(solution, twin)
            self.posts[twin] = Post(twin, solution, own, library, binary)
            if solution.name in self.proofs:
                self.proofs[twin] = self.proofs[solution.name]

    def keep_proof(self, name: str, build: Build, writer: Shelf) -> None:
        """Keep the proof of what a worker itself compiled or interpreted."""
        self.proofs[name] = writer.write_build(build)

    def reference_folder(self) -> Path:
        """Return the folder that holds the references alone."""
        folder = self._folder("reference")
        for entry in self._study.references:
            self._place(folder, entry.partition("::")[0])
        return folder

    def _compile(
        self, solution: Solution, folder: Path, environment: Environment
    ) -> tuple[Build, Path]:
        gpu = environment.gpu
        return build_library(
            solution,
            folder,
            capability=None if isinstance(gpu, Missing) else gpu.compute_capability,
            limit=self._study.protocol.build_limit,
            cache=self._cache,
            scratch=self._folder(f"built/{solution.name}"),
        )

    def _lay_out(self, solution: Solution, name: str) -> Path:
        folder = self._folder(f"solutions/{name}")
        for path in solution.files:
            self._place(folder, path)
        return folder

    def _place(self, folder: Path, path: str) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self._contents[path])

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
