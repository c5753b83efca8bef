"""Noise models: simulated times of a baseline, a solution and the baseline's twin.

Out: arrays [study, role, process, block, sample] of seconds, roles in the order of ROLES. Each
model names what it imitates; sizes are those that were measured on real GPUs and hosts.
"""

from collections.abc import Callable

import numpy as np

ROLES = ("base", "fast", "base~twin")
SOLUTION = 1
SECONDS = 2e-5
Shape = tuple[int, int, int, int, int]
Model = Callable[[np.random.Generator, Shape], np.ndarray]


def _process(rng, shape, sd):
    """What a process keeps for its life: layout, clocks, placement."""
    return rng.normal(0, sd, (*shape[:3], 1, 1))


def iid(rng, shape, sd=0.01):
    return rng.normal(0, sd, shape)


def process_effects(sd):
    return lambda rng, shape: _process(rng, shape, sd) + iid(rng, shape, 0.003)


def drift(rng, shape):
    """Clocks sink by 5 % over a run, alike for all: pairing has to cancel it."""
    _, _, processes, blocks, _ = shape
    time = np.arange(processes * blocks).reshape(1, 1, processes, blocks, 1)
    return 0.05 * time / time.max() + process_effects(0.003)(rng, shape)


def autocorrelated(rng, shape, phi=0.9, sd=0.01):
    """AR(1) from sample to sample within a process."""
    studies, roles, processes, blocks, samples = shape
    steps = rng.normal(0, sd * np.sqrt(1 - phi**2), shape).reshape(
        studies, roles, processes, blocks * samples
    )
    walk = np.empty_like(steps)
    walk[..., 0] = rng.normal(0, sd, steps.shape[:-1])
    for i in range(1, walk.shape[-1]):
        walk[..., i] = phi * walk[..., i - 1] + steps[..., i]
    return walk.reshape(shape) + _process(rng, shape, 0.003)


def heavy_tails(rng, shape):
    return 0.01 * rng.standard_t(3, shape) / np.sqrt(3) + _process(rng, shape, 0.003)


def heavy_processes(rng, shape):
    """Student's t with 3 degrees of freedom between processes."""
    return 0.005 * rng.standard_t(3, (*shape[:3], 1, 1)) + iid(rng, shape, 0.003)


def contaminated(rng, shape):
    """One sample in ten is 20 % to 200 % late."""
    late = rng.random(shape) < 0.1
    return np.where(late, rng.uniform(0.2, 1.1, shape), 0) + process_effects(0.003)(rng, shape)


def bimodal_processes(gap, share=0.5):
    """Every process, of every role, lands in one of two modes and stays there."""

    def model(rng, shape):
        high = rng.random((*shape[:3], 1, 1)) < share
        return gap * (high - share) + iid(rng, shape, 0.003)

    return model


def bimodal_solution(gap):
    """Only the solution has modes, symmetric about its true time."""

    def model(rng, shape):
        high = rng.random((*shape[:3], 1, 1)) < 0.5
        high[:, [0, 2]] = False
        mode = gap * (high - 0.5)
        mode[:, [0, 2]] = 0
        return mode + iid(rng, shape, 0.003)

    return model


def bimodal_hosts(rng, shape):
    """A whole set of processes lands on a host that is 35 % slower."""
    slow = rng.random((shape[0], 1, shape[2], 1, 1)) < 0.4
    return 0.3 * slow + process_effects(0.005)(rng, shape)


MODELS: dict[str, Model] = {
    "iid lognormal 1 %": iid,
    "process sd 0.1 %": process_effects(0.001),
    "process sd 0.5 %": process_effects(0.005),
    "process sd 1 %": process_effects(0.01),
    "process sd 2 %": process_effects(0.02),
    "drift 5 %": drift,
    "AR(1) 0.9": autocorrelated,
    "t3 samples": heavy_tails,
    "t3 processes": heavy_processes,
    "contaminated 10 %": contaminated,
    "bimodal processes 2.5 %": bimodal_processes(0.025),
    "bimodal processes 5 %": bimodal_processes(0.05),
    "bimodal processes 10 %": bimodal_processes(0.1),
    "bimodal processes 10 %, 1 in 5": bimodal_processes(0.1, 0.2),
    "bimodal hosts 35 %": bimodal_hosts,
}
"""Models in which solution and baseline are the same program."""

REALISTIC = (
    "iid lognormal 1 %",
    "process sd 0.1 %",
    "process sd 0.5 %",
    "process sd 1 %",
    "drift 5 %",
    "AR(1) 0.9",
    "t3 samples",
    "t3 processes",
    "contaminated 10 %",
    "bimodal hosts 35 %",
)
"""Models with a process deviation of at most 1 %, in which 5 % has to be found."""

ONE_SIDED: dict[str, Model] = {
    "solution bimodal 2.5 %": bimodal_solution(0.025),
    "solution bimodal 5 %": bimodal_solution(0.05),
}
"""Models in which the solution alone is noisy; its mean equals the baseline's."""


def simulate(model, *, studies, ratio=1.0, tick=0.0, seed=0, design=(12, 4, 8)):
    """Return seconds [study, role, process, block, sample].

    ratio: baseline / solution. design: processes, blocks, samples.
    """
    rng = np.random.default_rng(seed)
    shape = (studies, len(ROLES), *design)
    times = SECONDS * np.exp(model(rng, shape))
    times[:, SOLUTION] /= ratio
    return np.round(times / tick) * tick if tick else times
