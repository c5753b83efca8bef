"""What is asked of which leg in which order: pure, and random only through seeds of the run.

In: protocol, loads, names of legs, seeds. Out: steps, and the questions of each visit. In one block
every leg is asked the same prompts, which no leg has seen before.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from roofmark.bench.serving.client import Questions, plan_due
from roofmark.legs import Engine, Leg, Server
from roofmark.serving import Load
from roofmark.study import Workload

# Chosen: consonant and vowel, so that a word is one or two tokens in most vocabularies and no
# prompt is another's prefix.
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"


@dataclass(frozen=True)
class Step:
    """One visit: of whom, under which load, in which block and place of its order."""

    workload: Workload
    name: str
    block: int
    position: int


def plan_steps(
    workloads: Sequence[Workload], names: Sequence[str], *, blocks: int, together: bool, seed: str
) -> list[Step]:
    """Return one process set's visits.

    together: each block visits every leg in random order. Otherwise one leg after another, in
    random order, has all its blocks.
    """
    chance = random.Random(seed)
    if together:
        return [
            Step(workload, name, block, position)
            for workload in workloads
            for block in range(blocks)
            for position, name in enumerate(chance.sample(names, len(names)))
        ]
    return [
        Step(workload, name, block, position)
        for position, name in enumerate(chance.sample(names, len(names)))
        for workload in workloads
        for block in range(blocks)
    ]


def draw_questions(leg: Leg, load: Load, count: int, seed: str) -> Questions:
    """Return `count` prompts that follow from the seed, and when each is due."""
    chance = random.Random(seed)
    words = isinstance(leg, Server) and leg.prompts == "text"
    prompts = [
        _text(chance, load.prompt) if words else draw_ids(chance, leg, load.prompt)
        for _ in range(count)
    ]
    due = plan_due(load, count, f"{seed}/due")
    return Questions(prompts=prompts, due=due, streams=load.concurrency)


def draw_ids(chance: random.Random, leg: Leg, count: int) -> tuple[int, ...]:
    """Return token ids of an engine's vocabulary; a command draws its own."""
    if not isinstance(leg, Engine | Server):
        return ()
    return tuple(chance.randrange(leg.vocabulary) for _ in range(count))


def _text(chance: random.Random, words: int) -> str:
    def syllable() -> str:
        return chance.choice(_CONSONANTS) + chance.choice(_VOWELS)

    return " ".join(syllable() + syllable() for _ in range(words))
