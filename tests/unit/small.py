"""Small folders for the tests of loading, bundles and the command line."""

from pathlib import Path

import msgspec
from sample import make_build, make_environment, make_run, make_study, make_trace, make_traces

from roofmark.bundle import BundleWriter
from roofmark.evidence import Crashed
from roofmark.records import digest

STUDY = """\
import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="scale",
        axes={"n": rm.VAR, "d": 4},
        inputs={
            "x": rm.Tensor("n d", "float32"),
            "i": rm.Tensor("n", "int8", rm.Integers(0, 4)),
        },
        scalars={"k": 2.0},
        outputs={"y": rm.Tensor("n d", "float32")},
        reference="reference.py::scale",
        tolerance=rm.Tolerance(rms=1e-6),
        flops="n*d",
        traffic="8*n*d + n",
    ),
    workloads=[rm.Workload(axes={"n": n}) for n in (1, 127)],
    solutions=[
        rm.Solution("eager", "eager.py::scale"),
        rm.Solution("cpp", "kernel.cpp::scale", target="avx2"),
    ],
    baseline="eager",
    wrong=[rm.Solution("zeros", "wrong/zeros.py::scale")],
    protocol=rm.Protocol(margin=0.02),
)
"""
FUNCTION = "def scale(x, i, k):\n    return x * k\n"
FILES = {
    "study.py": STUDY,
    "reference.py": FUNCTION,
    "eager.py": FUNCTION,
    "kernel.cpp": "TVM_FFI_DLL_EXPORT_TYPED_FUNC(scale, Scale);\n",
    "wrong/zeros.py": FUNCTION,
}


def write_study(folder: Path, *changes: tuple[str, str], **files: str) -> Path:
    """Write a sound study, then replace text in study.py; each text has to be there."""
    text = STUDY
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    for name, content in (FILES | {"study.py": text} | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def crash(process: int):
    outcome = Crashed(stage="call", reason=f"signal 11 in process {process}", log="")
    return make_trace("n1", "fast", process, outcome)


def write_bundle(folder: Path, speedups: dict[str, float] | None = None, **options) -> Path:
    """Write and seal a bundle that can be judged."""
    study = make_study(tuple(speedups or {"fast": 2.0}))
    data = b"def run(): pass\n"
    files = {f"{s.name}.py": digest(data) for s in study.solutions} | {"reference.py": digest(data)}
    study = msgspec.structs.replace(study, files=files)
    with BundleWriter(folder) as writer:
        writer.write("study.json", study)
        writer.write("environment.json", make_environment())
        writer.write("run.json", make_run())
        writer.write_source(data)
        build = writer.write_build(make_build("fast"))
        for trace in make_traces(study, speedups or {"fast": 2.0}, build=build, **options):
            writer.append(trace)
        writer.write_log("fast", "worker", b"hello\n")
        writer.seal({})
    return folder
