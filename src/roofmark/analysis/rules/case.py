"""A case: everything that rules may ask about a study, gathered once.

In: the parts of a bundle and the comparisons made of them. Out: a frozen value handed to the facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from roofmark.analysis.compare import Place
from roofmark.analysis.decide import Comparison, Scene
from roofmark.analysis.leg_evidence import LegEvidence
from roofmark.analysis.verdict import Cell
from roofmark.evidence import Build, Environment, Run
from roofmark.profiled import PairProfile
from roofmark.stations import Station
from roofmark.study import Study


@dataclass(frozen=True, slots=True)
class Case:
    """A study's evidence, before findings move anything. builds: digest -> Build.

    profiles: what a profiler saw, by workload and solution; most studies have none. stations: the
    devices of a fleet; a run on one machine has none. legs: what was seen of engines; studies of
    kernels have none.
    """

    scene: Scene
    environment: Environment
    run: Run
    builds: dict[str, Build]
    comparisons: dict[Place, Comparison]
    cells: dict[Place, Cell]
    profiles: Mapping[Place, PairProfile] = field(default_factory=dict[Place, PairProfile])
    stations: tuple[Station, ...] = ()
    legs: LegEvidence = field(default_factory=LegEvidence)

    @property
    def study(self) -> Study:
        """What was asked."""
        return self.scene.study
