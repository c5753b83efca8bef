"""The bundle's own sources, laid out and built once for each solution that is profiled.

In: a bundle, a scratch folder. Out: jobs for children, and proofs of what was built here. Compiled
libraries come from the same cache as those of runs, so on the machine that measured it is most
often the very binary.
"""

from pathlib import Path

from roofmark.api import build_cache
from roofmark.bench.build import BuildError
from roofmark.bench.profile_job import ProfileJob
from roofmark.bench.sizes import Sizes
from roofmark.bench.workshop import Workshop, skip_reason
from roofmark.bundle import Bundle, BundleWriter
from roofmark.evidence import Build
from roofmark.loading import load_bundled_study
from roofmark.profiled import Refused
from roofmark.profiling.pairs import Pair
from roofmark.study import Solution


class Shop:
    """Builds on demand; what could not be built is not tried again."""

    def __init__(self, bundle: Bundle, scratch: Path) -> None:
        """Work in `scratch`. Raises: StudyError when the bundle's study is not fit to be run."""
        loaded = load_bundled_study(bundle)
        self._study, self._environment = loaded.study, bundle.environment
        self._scratch = scratch
        self._shop = Workshop(loaded.study, loaded.contents, scratch=scratch, cache=build_cache())
        self._flush = Sizes(self._study, "cuda", self._environment).flush
        self._proofs: dict[str, Build] = {}
        self._failed: dict[str, Refused] = {}

    def job(self, pair: Pair) -> ProfileJob:
        """Return the job of a pair, its solution built. Raises: Refused."""
        name = pair.solution.name
        if name not in self._shop.posts and name not in self._failed:
            self._prepare(pair.solution)
        if name in self._failed:
            raise self._failed[name]
        post = self._shop.posts[name]
        return ProfileJob(
            solution=pair.solution,
            definition=self._study.definition,
            workload=pair.workload,
            axes=self._study.axes(pair.workload),
            folder=str(post.folder),
            library=post.library,
            binary=post.binary,
            flush=self._flush,
            cache=self._study.protocol.cache,
        )

    def proof(self, pair: Pair) -> Build | None:
        """Return the proof of a compiled solution; an interpreted one proves itself in a call."""
        return self._proofs.get(pair.solution.name)

    def _prepare(self, solution: Solution) -> None:
        name, why = solution.name, skip_reason(solution, "cuda")
        try:
            if why:
                raise BuildError(why)
            # A workshop writes proofs into a bundle; this one's is read and thrown away.
            with BundleWriter(self._scratch / "proofs") as writer:
                self._shop.prepare(solution, self._environment, writer)
                if digest := self._shop.proofs.get(name):
                    self._proofs[name] = writer.read(f"builds/{digest}.json", Build)
        except BuildError as error:
            self._failed[name] = Refused("not_built", f"it cannot be built here: {error}")
