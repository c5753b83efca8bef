"""Bundles and machines for the tests of profiling."""

import os
import sys
from pathlib import Path

import msgspec
from sample import make_build, make_environment, make_run, make_study, make_traces

from roofmark.bench.descendants import MARK
from roofmark.bench.driver import DriverDevice
from roofmark.bench.keeper import adopt_orphans
from roofmark.bench.process import child_environment
from roofmark.bench.tool import run_tool
from roofmark.bundle import BundleWriter
from roofmark.profiling import Machine
from roofmark.records import digest
from roofmark.testing import small_environment

CHILD = Path(__file__).with_name("fake_child.py")
SOURCES = {
    "base.py": b"def run(x):\n    return x\n",
    "fast.py": b"def run(x):\n    return x.clone()\n",
    "reference.py": b"def copy(x):\n    return x\n",
}


def make_bundle(folder, *, device="cuda", build=None, **traces):
    """Write and seal a bundle whose study could be run again."""
    study = make_study(workloads=(1, 127))
    files = {name: digest(data) for name, data in SOURCES.items()}
    study = msgspec.structs.replace(study, files=files)
    with BundleWriter(folder) as writer:
        writer.write("study.json", study)
        ceilings = small_environment().ceilings
        machine = msgspec.structs.replace(make_environment(device), ceilings=ceilings)
        writer.write("environment.json", machine)
        writer.write("run.json", make_run(device))
        for data in SOURCES.values():
            writer.write_source(data)
        kept = writer.write_build(build or make_build("fast"))
        for trace in make_traces(study, build=kept, device=device, **traces):
            writer.append(trace)
        writer.write_log("fast", "worker", b"hello\n")
        writer.seal({})
    return folder


def start(prefix, mode, folder, limit):
    """Start the made-up child as the real one is started."""
    adopt_orphans()
    # Tests that run beside these end what carries their own mark.
    mark = f"of-a-test-{os.getpid()}"
    return run_tool(
        (*prefix, sys.executable, str(CHILD), mode, str(folder)),
        folder=folder,
        environment=child_environment(folder, mark) | {MARK: mark},
        limit=limit,
        memory=None,
    )


DEVICE = DriverDevice(
    name="Test GPU",
    uuids=("GPU-0",),
    compute_capability="9.0",
    multiprocessors=132,
    memory=2**37,
    last_level_cache=2**26,
    cuda_version="13.0",
)
MACHINE = Machine(start=start, device=lambda: DEVICE)
