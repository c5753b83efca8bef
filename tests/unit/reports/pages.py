"""The bundles behind the pages: one answer, many, hostile texts, 54 workloads, nothing to draw."""

from msgspec.structs import replace

from roofmark.analysis.judge import judge_bundle
from roofmark.records import Missing
from roofmark.study import Workload
from roofmark.testing import (
    FAILURES,
    simulated_traces,
    small_environment,
    small_study,
    write_bundle,
)

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> | `tick` ``` [a](http://evil.example) "
    "@someone #123 www.evil.example \x1b[31mred\x1b[0m \x9b2J --> </script> <!-- \u2028line\u2029"
    "\n## heading\n> [!NOTE]\u202edesrever\u200b {{ 7 * 7 }} [bold]rich[/bold] ]]>"
)
SHAPES = ((64, 10), (256, 8), (512, 7), (1024, 7), (2048, 7), (3072, 7), (4096, 8))


def make_page(kind, path):
    study, ratios, environment = _KINDS[kind]()
    traces = simulated_traces(study, ratios=ratios)
    bundle = write_bundle(path, study, traces, environment)
    return judge_bundle(bundle), bundle


def _one():
    return small_study(("cuda",)), {"cuda": 3.42}, small_environment()


def _many():
    study = small_study(("cuda", "triton", "compiled", "naive", "mixed"))
    ratios = {"cuda": 3.42, "triton": 1.02, "compiled": 1.001, "naive": 0.7}
    return study, ratios, small_environment()


def _hostile():
    study = small_study(("good", "broken", "lost", "unbuilt", "sloppy"))
    ratios = {
        "good": 2.0,
        "broken": replace(FAILURES["crashed"], reason=HOSTILE),
        "lost": Missing(reason=HOSTILE),
        "unbuilt": replace(FAILURES["build_failed"], reason=HOSTILE),
        "sloppy": replace(FAILURES["incorrect"], reason=HOSTILE),
    }
    machine = small_environment()
    gpu = replace(machine.gpu, name=f"GPU {HOSTILE}")
    ceilings = tuple(replace(each, source=HOSTILE) for each in machine.ceilings)
    return replace(study, title=HOSTILE), ratios, replace(machine, gpu=gpu, ceilings=ceilings)


def _large():
    workloads = [Workload(axes={"n": n}, seed=s) for n, count in SHAPES for s in range(count)]
    study = small_study(("cuda", "triton", "compiled", "naive"), workloads=workloads)
    return study, {"cuda": 3.42, "triton": 2.6, "naive": 0.7}, small_environment()


def _nothing():
    study = small_study(("broken",), workloads=(7,), wrong=())
    machine = replace(small_environment("cuda"), ceilings=())
    fates = {name: FAILURES["crashed"] for name in ("broken", "eager", "eager~twin")}
    return study, fates, machine


def _busy_machine():
    machine = small_environment()
    return replace(machine, gpu=replace(machine.gpu, other_processes=2))


def _accepted():
    return small_study(("cuda",), accept=("RM310",)), {"cuda": 3.42}, _busy_machine()


def _unhealthy():
    return small_study(("cuda",)), {"cuda": 3.42}, _busy_machine()


_KINDS = {
    "one": _one,
    "many": _many,
    "hostile": _hostile,
    "large": _large,
    "nothing": _nothing,
    "accepted": _accepted,
    "unhealthy": _unhealthy,
}
