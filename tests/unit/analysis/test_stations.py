"""The error of a mean over several devices: never less than of one, wider where they differ."""

import math
import random

import pytest

from roofmark.analysis.stations import ByStation, split, split_by
from roofmark.analysis.stats import interval, summarise

SPREAD = 0.002


def drawn(rng, sizes, *, own=0.0, noise=0.005, hosts=False):
    """Return blocks by station: one statistic per process, devices in turn."""
    blocks, stations = {}, {}
    for number, size in enumerate(sizes):
        effect = rng.gauss(0, own)
        for _ in range(size):
            process = len(blocks)
            blocks[process] = [effect + rng.gauss(0, noise)]
            stations[process] = f"{number if hosts else 'h'}.{number}"
    return ByStation(blocks, stations, SPREAD)


def test_one_station_is_one_machine():
    rng = random.Random(1)
    for sizes in ((6,), (9,)):
        blocks = drawn(rng, sizes)
        assert summarise(blocks, floor=1e-3, blur=1e-5) == summarise(
            list(blocks), floor=1e-3, blur=1e-5
        )


def test_stations_never_make_an_error_smaller():
    rng = random.Random(2)
    for sizes in ((3, 3), (5, 1), (2, 2, 2), (1, 1, 1, 1, 1, 1)):
        for own in (0.0, 0.01):
            blocks = drawn(rng, sizes, own=own)
            plain, wide = summarise(list(blocks)), summarise(blocks)
            assert wide.mean == plain.mean and wide.error >= plain.error
            assert wide.freedom in (plain.freedom, len(sizes) - 1)


def test_devices_that_agree_to_the_last_digit_still_leave_their_spread():
    blocks = ByStation({p: [0.125] for p in range(6)}, {p: f"h.{p % 2}" for p in range(6)}, SPREAD)
    assert summarise(list(blocks)).error == 0
    assert summarise(blocks).error == pytest.approx(SPREAD / math.sqrt(2))


def test_devices_that_differ_are_the_sample():
    blocks = {p: [0.1 * (p % 2) + 1e-4 * p] for p in range(6)}
    wide = summarise(ByStation(blocks, {p: f"h.{p % 2}" for p in range(6)}, SPREAD))
    assert wide.freedom == 1 and wide.error == pytest.approx(0.05, rel=0.01)


def test_hosts_are_asked_where_there_are_several():
    """Four devices, two a host, and only the hosts differ: two things were seen, not four."""
    blocks = {p: [0.1 * (p % 2) + 1e-4 * (p // 4)] for p in range(8)}
    stations = {p: f"{p % 2}.{p % 4}" for p in range(8)}
    assert summarise(ByStation(blocks, stations, SPREAD)).freedom == 1
    one_host = {p: f"h.{p % 4}" for p in range(8)}
    assert summarise(ByStation(blocks, one_host, SPREAD)).freedom == 3


def test_the_analysis_of_variance_is_that_of_the_books():
    stats = pytest.importorskip("scipy.stats")
    rng = random.Random(3)
    groups = {
        name: tuple(rng.gauss(0.01 * (name == "c"), 0.01) for _ in range(4)) for name in "abc"
    }
    assert split_by(groups).p == pytest.approx(stats.f_oneway(*groups.values()).pvalue)
    assert split([1.0, 2.0], ["a", "b"]) is None and split([1.0, 2.0], ["a", "a"]) is None
    assert split([1.0, 1.0, 2.0, 2.0], list("aabb")).p == 0.0
    assert split([1.0] * 4, list("aabb")).p == 1.0


@pytest.mark.parametrize(("own", "most"), [(0.0, 0.01), (0.002, 0.01), (0.005, 0.05)])
def test_the_interval_holds_over_devices(own, most):
    """Two devices with an effect of their own, up to the noise of a process: once in 20 at most."""
    rng, missed, runs = random.Random(4), 0, 600
    for _ in range(runs):
        low, high = interval(summarise(drawn(rng, (3, 3), own=own)), level=0.95, looks=7)
        missed += not low <= 0 <= high
    assert missed / runs <= most
