"""Compare ways to keep an interval valid at every look of the stopping rule.

    python benchmarks/boundaries.py

Candidates: the level split evenly over the looks, more of it late, more of it early (Bonferroni),
and the scale-invariant mixture e-process of Lai (1976) in the form of Wang and Ramdas (2023), which
needs no plan. Prints how often each errs, and how soon and how surely it finds a difference whose
distance to the border is given in deviations between processes.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

FEWEST, MOST = 6, 12
LOOKS = np.arange(FEWEST, MOST + 1)
REPEATS = 100_000


def bonferroni(weights):
    shares = weights / weights.sum()
    return lambda alpha: np.array(
        [stdtrit(n - 1, 1 - alpha * s / 2) for n, s in zip(LOOKS, shares, strict=True)]
    )


def mixture(variance):
    """t at which the likelihood ratio, mixed over effects N(0, variance), reaches 1 / alpha."""

    def boundary(alpha):
        return np.array([_mixture_at(alpha, int(n), variance) for n in LOOKS])

    return boundary


def _mixture_at(alpha, n, variance):
    grown = 1 + n * variance

    def excess(x):
        ratio = math.log1p(x) - math.log1p(x / grown)
        return n / 2 * ratio - math.log(grown) / 2 - math.log(1 / alpha)

    return math.sqrt(brentq(excess, 0, 1e12) * (n - 1)) if excess(1e12) > 0 else math.inf


BOUNDARIES = {
    "even": bonferroni(np.ones(len(LOOKS))),
    "late": bonferroni(np.arange(1.0, len(LOOKS) + 1)),
    "early": bonferroni(np.arange(len(LOOKS), 0.0, -1)),
    "e-process, variance 1": mixture(1.0),
    "e-process, variance 10": mixture(10.0),
    "e-process, variance 100": mixture(100.0),
}


def t_values(distance):
    """t of (value - border) at every look, for normal values `distance` deviations away."""
    values = np.random.default_rng(0).standard_normal((REPEATS, MOST)) + distance
    sums, squares = values.cumsum(1)[:, FEWEST - 1 :], (values**2).cumsum(1)[:, FEWEST - 1 :]
    variance = (squares - sums**2 / LOOKS) / (LOOKS - 1)
    return sums / LOOKS / np.sqrt(variance / LOOKS)


def main():
    for alpha in (0.05, 0.05 / 54):
        print(f"\nlevel 1 - {alpha:.5f}; half-width in deviations at each look {LOOKS.tolist()}")
        for name, boundary in BOUNDARIES.items():
            widths = boundary(alpha) / np.sqrt(LOOKS)
            print(f"  {name:24s}" + " ".join(f"{w:6.2f}" for w in widths))
        null = np.abs(t_values(0.0))
        for name, boundary in BOUNDARIES.items():
            wrong = (null > boundary(alpha)).any(1).mean()
            found = "; ".join(_found(boundary(alpha), distance) for distance in (1.5, 2, 3, 5))
            print(f"  {name:24s} errs {100 * wrong:.3f} %; {found}")


def _found(boundary, distance):
    hit = t_values(distance) > boundary
    stop = np.where(hit.any(1), hit.argmax(1) + FEWEST, MOST)
    return f"{distance:g} sd: {100 * hit.any(1).mean():.1f} % after {stop.mean():.1f}"


if __name__ == "__main__":
    main()
