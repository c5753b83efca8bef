"""Against: a study at the work tree (or a revision) gated against another revision, side by side.

In: a study's path in a git work tree, a revision, a folder for the bundle. Out: `PairedGate`, and a
sealed bundle of both sides where anything had to be measured. Both are laid out, built and measured
as the loop's duel does it; a run that was killed goes on when the same gate is asked again.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roofmark import api
from roofmark.analysis.gated import GatedCell, together
from roofmark.analysis.paired_gate import EVERYWHERE, PairedGate, gate_pairs, undecided_pairs
from roofmark.analysis.shift import ALARM
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.scratch import open_scratch
from roofmark.bench.workshop import skip_reason
from roofmark.bundle import MANIFEST, Bundle
from roofmark.errors import RoofmarkError, StudyError
from roofmark.evidence import Environment
from roofmark.gating.numbers import check_numbers
from roofmark.gating.pairing import Pairing, pair_studies, paired_study
from roofmark.gating.revisions import Revision, at_commit, at_work_tree
from roofmark.loading import LoadedStudy, load_study
from roofmark.looping.change import binary_of
from roofmark.looping.duel import Say, lay_out, measure
from roofmark.narrowing import narrow_study, select_workloads
from roofmark.options import AgainstOptions, RunOptions
from roofmark.place import choose_device, collect_machine
from roofmark.records import Missing, decode, digest
from roofmark.study import Device, Protocol, Study

if TYPE_CHECKING:
    from roofmark.analysis.memory_gate import MemoryGate


def gate_against(
    study: str | Path,
    revision: str,
    output: str | Path,
    *,
    options: AgainstOptions | None = None,
    progress: Say | None = None,
) -> PairedGate:
    """Gate a study against another revision of its repository; the bundle is left in `output`.

    Raises: StudyError RM436 for a revision that cannot be had, RM130, RM103; BundleError RM435 when
        the two sides answer different questions, RM407 or RM411 when `output` is taken by something
        else; and as `run`.
    """
    options = options or AgainstOptions()
    check_numbers(options.margin, options.alarm)
    with open_scratch() as scratch:
        return _Match(Path(study), revision, options, scratch).play(Path(output), progress)


def gate_memory_against(bundle: Bundle, *, margin: float | None = None) -> "MemoryGate | None":
    """Return whether no solution of a paired bundle takes more memory than it did.

    margin: growth that passes; 10 % if None. None where nothing was observed. Raises: as `gate`.
    """
    from roofmark.analysis.memory_gate import MEMORY_MARGIN, gate_paired_memory

    margin = MEMORY_MARGIN if margin is None else margin
    check_numbers(margin, ALARM)
    return gate_paired_memory(bundle, margin)


class _Match:
    """One gate between two revisions, while its scratch folder is open."""

    def __init__(self, study: Path, revision: str, options: AgainstOptions, scratch: Path) -> None:
        self.options, self.scratch, self.given = options, scratch, study
        now = options.revision
        self.was = at_commit(study, revision, scratch / "revisions" / "was")
        self.now = (
            at_work_tree(study)
            if now is None
            else at_commit(study, now, scratch / "revisions" / "now")
        )
        self.new, self.old = _loaded(self.now), _loaded(self.was)
        self.device: Device = choose_device(self.new.study, options.run)
        select_workloads(self.new.study.workloads, options.run.workloads)

    def play(self, output: Path, progress: Say | None) -> PairedGate:
        """Pair, measure what changed, and decide."""
        pairing = pair_studies(
            self.old,
            self.new,
            _Binaries(self.old, self.new, self.device, self.given),
            solutions=self.options.run.solutions,
            unchanged_too=self.options.unchanged,
        )
        skipped = dict(self._skipped(pairing.pairs))
        pairs = tuple(name for name in pairing.pairs if name not in skipped)
        gate = self._measured(pairs, output, progress) if pairs else self._unmeasured(pairing)
        return self._told(gate, pairing, skipped)

    def _skipped(self, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield what changed and cannot be measured here, and why."""
        for name in names:
            for side in (self.new, self.old):
                if why := skip_reason(side.study.solution(name), self.device):
                    yield name, why
                    break

    def _measured(self, pairs: tuple[str, ...], output: Path, progress: Say | None) -> PairedGate:
        study, contenders = paired_study(
            self.old, self.new, pairs, title=self._title(), ask=self._protocol()
        )
        contents = self.old.contents | self.new.contents
        file = lay_out(self.scratch / "study", study, contents, contenders)
        # Its solutions are chosen already.
        run = dataclasses.replace(self.options.run, device=self.device, solutions=())
        until = api.Until(undecided=undecided_pairs)
        if _is_interrupted(file, run, output):
            bundle = measure(file, output, run, progress, until)
        else:
            bundle = api.run(file, output, options=run, progress=progress, until=until)
        return gate_pairs(bundle)

    def _unmeasured(self, pairing: Pairing) -> PairedGate:
        """Return the gate of a change without effect, or (which fails) of nothing at all."""
        nothing = Missing(reason="nothing was measured")
        return PairedGate(
            was=self.was.name,
            now=self.now.name,
            bundle=nothing,
            study=self._title(),
            device_name=nothing,
            decision="pass" if pairing.unchanged else "fail",
            alarm=self.options.alarm,
            each=self.options.alarm,
            looks=1,
            margin=self._protocol().margin,
            cells=(),
        )

    def _told(self, gate: PairedGate, pairing: Pairing, skipped: dict[str, str]) -> PairedGate:
        """Return the gate with all that its bundle cannot know."""
        cells = (*gate.cells, *(_not_here(name, why, gate) for name, why in skipped.items()))
        return replace(
            gate,
            was=self.was.name,
            now=self.now.name,
            decision=together(cell.decision for cell in cells) if cells else gate.decision,
            cells=cells,
            unchanged=pairing.unchanged,
            only_was=pairing.only_was,
            only_now=pairing.only_now,
            differences=pairing.differences,
        )

    def _title(self) -> str:
        study = self.new.study
        name = study.title or study.definition.name
        return f"{name}: {self.now.name} against {self.was.name}"

    def _protocol(self) -> Protocol:
        """Return the new side's protocol; a change cannot widen its own margin."""
        own = min(side.study.protocol.margin for side in (self.old, self.new))
        margin = own if self.options.margin is None else self.options.margin
        return replace(self.new.study.protocol, margin=margin, level=1 - self.options.alarm)


class _Binaries:
    """Whether both sides of a solution are built to the same machine code; asked when needed."""

    def __init__(self, old: LoadedStudy, new: LoadedStudy, device: Device, folder: Path) -> None:
        self.sides, self.folder = (old, new), folder
        self.device: Device = device
        self.machine: Environment | None = None

    def __call__(self, name: str) -> bool:
        """A side that cannot be built is not the same as anything; the run will say why."""
        if any(skip_reason(side.study.solution(name), self.device) for side in self.sides):
            return False
        self.machine = self.machine or collect_machine(self.device, self.folder)
        with contextlib.suppress(BuildError):
            was, now = (
                binary_of(side.study, side.contents, side.study.solution(name), self.machine)
                for side in self.sides
            )
            return isinstance(was, str) and was == now
        return False


def _loaded(side: Revision) -> LoadedStudy:
    """Load a side. Raises: StudyError that names the revision beside the place."""
    try:
        return load_study(side.study)
    except RoofmarkError as error:
        told = [dataclasses.replace(e, where=f"{side.name}: {e.where}") for e in error.problems]
        raise StudyError(*told) from error


def _is_interrupted(file: Path, run: RunOptions, output: Path) -> bool:
    """Return whether `output` holds this very question, begun and not sealed."""
    begun = output / "study.json"
    if run.force or (output / MANIFEST).exists() or not begun.is_file():
        return False
    asked = narrow_study(load_study(file).study, run)
    return digest(decode(begun.read_bytes(), Study, where=begun)) == digest(asked)


def _not_here(name: str, why: str, gate: PairedGate) -> GatedCell:
    absent = Missing(reason=why)
    return GatedCell(
        workload=EVERYWHERE,
        solution=name,
        decision="undecided",
        because=f"it changed and is not measured here: {why}",
        was=absent,
        now=absent,
        ratio=absent,
        margin=gate.margin,
        p=1.0,
    )
