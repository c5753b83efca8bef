"""The built-in proposer: Optuna over the params that a solution declares in its study.py.

In: a space (name -> values), a file for Optuna's journal, a seed; per try the brief. Out: a note
with params. The brief says what became of every earlier try, so it is what Optuna is told: a ratio
over the study's own version where there is one, else that the trial was pruned. Nothing here is
remembered that the loop does not know, so a lost or torn storage is made again.

Every ask has a sampler of its own whose seed follows from the number of trials: what is asked is a
function of seed and outcomes, whether or not the loop was killed in between.
"""

import contextlib
import math
import random
import warnings
from collections.abc import Generator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.looping.brief import Brief
from roofmark.looping.journal import params_text
from roofmark.looping.proposers import Proposal, Proposer
from roofmark.looping.tries import Note
from roofmark.records import Missing, decode

if TYPE_CHECKING:
    import optuna

Space = Mapping[str, Sequence[int]]
Point = tuple[int, ...]
"""The values of a space's params, in the order of its names."""

# Chosen: so many suggestions in a row that are known already say that the sampler is where it
# wants to be; then any point that is new is worth more.
_MOST_REPEATS = 20
# Chosen: a space that a loop could not cover in a year needs no list of what is left.
_MOST_POINTS = 100_000


def parse_space(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the space of texts such as "BLOCK=64,128,256" and "WARPS=1..8" (both ends included).

    Raises: StudyError RM136.
    """
    space: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, said = text.partition("=")
        name = name.strip()
        try:
            values = tuple(dict.fromkeys(v for part in said.split(",") for v in _values(part)))
        except ValueError as error:
            mend = "Write NAME=64,128,256 or NAME=1..8."
            raise StudyError(problem("RM136", f"{text!r}: {error}", "--search", mend)) from error
        if not name or name in space:
            mend = "Name each param once: NAME=1,2,4."
            raise StudyError(problem("RM136", f"{text!r} names no new param", "--search", mend))
        space[name] = values
    if math.prod(map(len, space.values())) > _MOST_POINTS:
        mend = "Search fewer values at once."
        fact = f"the space has more than {_MOST_POINTS} points"
        raise StudyError(problem("RM136", fact, "--search", mend))
    return space


def _values(part: str) -> range | tuple[int]:
    low, dots, high = part.partition("..")
    if not dots:
        return (int(part),)
    found = range(int(low), int(high) + 1)
    if not 0 < len(found) <= _MOST_POINTS:
        raise ValueError(f"{part} is no range of values")
    return found


def from_search(space: Space, storage: str | Path, *, seed: int = 0, ahead: int = 1) -> Proposer:
    """Return a proposer that searches a space with Optuna's TPE sampler.

    storage: file of Optuna's own journal, resumed if it is there; a loop's folder is its place.
    seed: of the sampler. ahead: points that are asked for at once, so that they can be built side
    by side; none of them knows what became of the others. The loop ends when every point of the
    space was tried.
    Raises: StudyError RM136 when Optuna is not installed; the proposer raises it when the study
        does not give the solution one of these params as a literal integer.
    """
    with _optuna():
        own = {name: tuple(values) for name, values in space.items()}
        return _Search(own, Path(storage), seed, ahead)


class _Search:
    """Asks Optuna until it names a point that was not tried."""

    def __init__(
        self, space: dict[str, tuple[int, ...]], storage: Path, seed: int, ahead: int
    ) -> None:
        self._space, self._storage, self._seed, self._ahead = space, storage, seed, ahead
        self._all = dict.fromkeys(product(*space.values()))

    def __call__(self, proposal: Proposal) -> Note:
        """Return a note with the params of the next point, or one that ends the loop."""
        _check_declared(self._space, proposal.params)
        brief = decode(proposal.brief.read_bytes(), Brief, where=proposal.brief)
        known = self._known(brief)
        if all(point in known for point in self._all):
            return Note(stop=True)
        study = self._open()
        self._tell(study, known)
        coming = [self._named(point) for point in self._coming(study, known)]
        return Note(hypothesis=params_text(coming[0]), params=coming[0], ahead=tuple(coming[1:]))

    # --- what is known ---------------------------------------------------------------------------
    def _known(self, brief: Brief) -> dict[Point, float | None]:
        """Return point -> log ratio over the start, or None where there is none."""
        versions = {0: brief.start_params}
        known: dict[Point, float | None] = {self._point(versions[0]): 0.0}
        for each in brief.tried:
            versions[each.number] = versions[each.against] | each.params
            if each.params:
                said = each.over_start
                value = None if isinstance(said, Missing) else math.log(said)
                known[self._point(versions[each.number])] = value
        return known

    def _named(self, point: Point) -> dict[str, int]:
        return dict(zip(self._space, point, strict=True))

    def _point(self, params: Mapping[str, int]) -> Point:
        return tuple(params[name] for name in self._space)

    # --- Optuna ----------------------------------------------------------------------------------
    def _open(self) -> "optuna.Study":
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage.parent.mkdir(parents=True, exist_ok=True)
        _mend(self._storage)
        storage = JournalStorage(JournalFileBackend(str(self._storage)))
        return optuna.create_study(
            storage=storage, study_name="loop", direction="maximize", load_if_exists=True
        )

    def _tell(self, study: "optuna.Study", known: Mapping[Point, float | None]) -> None:
        """End the trials whose outcome is known, and add what other proposers tried."""
        from optuna.trial import TrialState

        told: set[Point] = set()
        for trial in study.get_trials(deepcopy=False):
            running = trial.state == TrialState.RUNNING
            if not self._is_whole(trial):
                if running:  # A kill came between two of its params.
                    study.tell(trial.number, state=TrialState.FAIL)
                continue
            point = self._point(trial.params)
            told.add(point)
            if running and point in known:
                study.tell(trial.number, **_outcome(known[point]))
        for point in known.keys() - told:
            if point in self._all:
                study.add_trial(self._made(point, known[point]))

    def _is_whole(self, trial: "optuna.trial.FrozenTrial") -> bool:
        return self._space.keys() <= trial.params.keys()

    def _made(self, point: Point, value: float | None) -> Any:
        from optuna.trial import TrialState, create_trial

        return create_trial(
            state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
            params=self._named(point),
            distributions=self._distributions(),
            value=value,
        )

    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import CategoricalDistribution

        return {name: CategoricalDistribution(values) for name, values in self._space.items()}

    def _coming(self, study: "optuna.Study", known: Mapping[Point, float | None]) -> list[Point]:
        """Return the points of open trials, of which a kill may have left some; ask if none is."""
        from optuna.trial import TrialState

        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if running:
            return [self._point(trial.params) for trial in running]
        coming: list[Point] = []
        for _ in range(min(self._ahead, sum(point not in known for point in self._all))):
            coming.append(self._next(study, known, coming))
        return coming

    def _next(
        self, study: "optuna.Study", known: Mapping[Point, float | None], open_: Sequence[Point]
    ) -> Point:
        """Ask for a point that is neither known nor open."""
        from optuna.trial import TrialState

        for _ in range(_MOST_REPEATS):
            study.sampler = self._sampler(
                sum(map(self._is_whole, study.get_trials(deepcopy=False)))
            )
            trial = study.ask(self._distributions())
            point = self._point(trial.params)
            if point in known:
                study.tell(trial, **_outcome(known[point]))
            elif point in open_:
                study.tell(trial, state=TrialState.FAIL)
            else:
                return point
        left = [point for point in self._all if point not in known and point not in open_]
        point = random.Random(f"{self._seed}/{len(known)}/{len(open_)}").choice(left)
        study.enqueue_trial(self._named(point))
        return self._point(study.ask(self._distributions()).params)

    def _sampler(self, number: int) -> Any:
        from optuna.samplers import TPESampler

        seed = random.Random(f"{self._seed}/{number}").getrandbits(32)
        with warnings.catch_warnings():
            # Params of a launch interact; that Optuna may change the option is its own business.
            warnings.simplefilter("ignore")
            return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _outcome(value: float | None) -> dict[str, Any]:
    from optuna.trial import TrialState

    return {"state": TrialState.PRUNED} if value is None else {"values": value}


def _mend(storage: Path) -> None:
    """Cut off a line that a kill left torn, and the lock of who wrote it: the loop has its own."""
    storage.with_name(storage.name + ".lock").unlink(missing_ok=True)
    if storage.exists():
        data = storage.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            storage.write_bytes(whole)


def _check_declared(space: Space, declared: Mapping[str, int]) -> None:
    absent = [name for name in space if name not in declared]
    if absent:
        fact = f"{', '.join(absent)}: no literal integer in the solution's params"
        mend = f'Write params={{"{absent[0]}": 1}} in its Solution(...) in study.py.'
        raise StudyError(problem("RM136", fact, "--search", mend))


@contextlib.contextmanager
def _optuna() -> Generator[None]:
    try:
        import optuna as optuna

        yield
    except ImportError as error:
        mend = 'pip install "roofmark[search]"'
        fact = f"Optuna is not installed: {error}"
        raise StudyError(problem("RM136", fact, "--search", mend)) from error
