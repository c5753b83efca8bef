"""The doctor on made-up machines, on this one, and with nothing on PATH."""

import subprocess
import sys
import time

import pytest
from machine_fakes import DEVICE, FakeNvml, machine

from roofmark.bench.cage import bounds
from roofmark.bench.doctor import examine
from roofmark.bench.doctor_device import name_reasons
from roofmark.bench.doctor_host import (
    examine_isolation,
    examine_processor,
    examine_space,
    landlock_abi,
    read_quota,
    read_user_namespaces,
)
from roofmark.bench.doctor_tools import judge_counters, restricted, watchers
from roofmark.bench.examination import Examination
from roofmark.bench.host import Host
from roofmark.records import Missing, decode, encode

NO_GPU = Missing(reason="libcuda.so.1: no such file")
STAT = "cpu  100 0 0 900 0 0 0 0 0 0\n"
PROBED = '"0","9","python","127.0.0.1","roofmark_probe","1","7","GPU Speed","' \
         'sm__cycles_elapsed.max","cycle","1,234"\n'  # fmt: skip
PERMISSION = (
    "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission / ==WARNING== No kernels"
)


def lines(examination):
    return {line.name: line for section in examination.sections for line in section.lines}


def look(root, files=None, *, gpu=NO_GPU, **options):
    return examine(host=machine(root, files, **options), query=lambda: gpu)


def tools(root):
    """Make a PATH on which every tool exists."""
    for name in ("g++", "nvcc", "cuobjdump", "ncu", "nsys", "git"):
        (root / "bin").mkdir(exist_ok=True)
        (root / "bin" / name).touch(mode=0o755)
    return {"PATH": str(root / "bin")}


def speaking(probe):
    """Return a runner on which every tool has a version and the profiler says `probe`."""
    return lambda command, limit: probe if "launch" in command else "version 1.2"


# --- whole machines ------------------------------------------------------------------------------
def test_healthy_gpu_machine(tmp_path):
    found = look(tmp_path, {"proc/stat": STAT, "proc/loadavg": "0.1 0 0"}, gpu=DEVICE,
                 environ=tools(tmp_path), run=speaking(PROBED), nvml=FakeNvml())  # fmt: skip
    seen = lines(found)
    good = ("GPU", "driver", "other users", "MIG", "persistence mode", "free memory", "g++", "nvcc",
            "cuobjdump", "ncu", "nsys", "counters", "load", "stolen time")  # fmt: skip
    assert {name: seen[name].state for name in good} == dict.fromkeys(good, "ok")
    assert "H200" in seen["GPU"].found and seen["counters"].found == "read from an empty kernel"
    assert decode(encode(found), Examination, where="here") == found


def test_troubled_gpu_machine(tmp_path):
    nvml = FakeNvml(
        DeviceGetComputeRunningProcesses=[1, 2],
        DeviceGetMigMode=[1, 1],
        DeviceGetPersistenceMode=0,
        DeviceGetCurrentClocksEventReasons=0x44,
    )
    found = look(tmp_path, gpu=DEVICE, environ=tools(tmp_path), run=speaking("nothing"), nvml=nvml)
    seen = lines(found)
    for name in ("other users", "MIG", "persistence mode", "clocks"):
        assert seen[name].state == "warning" and seen[name].why and seen[name].mend, name
    assert "power cap (software), temperature (hardware)" in seen["clocks"].found
    assert any(line.startswith("hardware counters: counters: ncu failed") for line in found.skipped)


def test_machine_without_gpu_says_so_once(tmp_path):
    found = look(tmp_path, environ={"PATH": ""})
    assert lines(found)["GPU"].found == "no CUDA device: libcuda.so.1: no such file"
    assert [line for line in found.skipped if "cuda" in line] == [
        "everything on cuda: GPU: no CUDA device: libcuda.so.1: no such file"
    ]
    assert any(line.startswith("C++ solutions: g++: not on PATH") for line in found.skipped)


def test_everything_missing_is_explained(tmp_path):
    for line in lines(look(tmp_path, environ={"PATH": ""})).values():
        assert line.found
        if line.skips and line.state == "missing":
            assert line.why and line.mend


def test_this_machine_is_examined_quickly():
    start = time.perf_counter()
    found = examine(query=lambda: NO_GPU)
    assert time.perf_counter() - start < 3
    titles = [section.title for section in found.sections]
    assert titles == ["Device", "Compilers", "Profilers", "Packages", "Processor", "Space",
                      "Isolation"]  # fmt: skip
    assert lines(found)["python"].state == "ok"


def test_empty_path_in_a_process_of_its_own():
    code = "from roofmark.bench.doctor import examine; print(len(examine().sections))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"7\n"), done.stderr.decode()


# --- counters ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("output", "watching", "state", "found"),
    [
        (PROBED, (), "ok", "read from an empty kernel"),
        (Missing(reason=f"ncu exited with 1: {PERMISSION}"), ("nv-hostengine",), "missing",
         "not allowed (RmProfilingAdminOnly is 1): ERR_NVGPUCTRPERM"),
        ("==ERROR== Profiling failed: a driver resource was unavailable.", ("dcgm-exporter",),
         "missing", "busy: held by dcgm-exporter"),
        ("==ERROR== The driver resource was unavailable", (), "missing",
         "busy: held by another profiler or monitor"),
        ("==WARNING== No kernels were profiled.", (), "missing", "ncu ran and saw no kernel"),
        (PROBED.replace("1,234", "n/a"), (), "missing", "ncu failed"),
        ("", (), "missing", "ncu failed: it said nothing"),
    ],
)  # fmt: skip
def test_reasons_for_no_counters_are_told_apart(output, watching, state, found):
    line = judge_counters(output, True, watching)
    assert line.state == state and line.found.startswith(found)
    assert state == "ok" or (line.why and line.mend and line.skips == "hardware counters")


def test_permission_and_watchers_are_read(tmp_path):
    host = machine(
        tmp_path,
        {
            "proc/driver/nvidia/params": "Mobile: 0\nRmProfilingAdminOnly: 1\n",
            "proc/12/comm": "nv-hostengine\n",
            "proc/13/comm": "bash\n",
        },
    )
    assert restricted(host) is True and watchers(host) == ("nv-hostengine",)
    (tmp_path / "proc/driver/nvidia/params").write_text("RmProfilingAdminOnly: 0\n")
    assert restricted(host) is False
    assert isinstance(restricted(machine(tmp_path / "empty")), Missing)
    assert watchers(machine(tmp_path / "empty")) == ()


@pytest.mark.parametrize(
    ("mask", "words"),
    [(0, ()), (1, ("idle",)), (0x28, ("slowdown (hardware)", "temperature (software)")),
     (0x1001, ("idle", "unknown bits 0x1000"))],
)  # fmt: skip
def test_clock_reasons(mask, words):
    assert name_reasons(mask) == words


# --- host ----------------------------------------------------------------------------------------
def states(found):
    return {line.name: (line.state, line.found) for line in found}


def test_busy_stolen_and_throttled_processor(tmp_path):
    files = {
        "proc/stat": "cpu  100 0 0 800 0 0 0 100 0 0\n",
        "proc/loadavg": "9000.0 1 1",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
        "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    }
    found = states(examine_processor(machine(tmp_path, files)))
    assert found["stolen time"] == ("warning", "0.0% now, 10.00% since boot")
    assert found["load"][0] == "warning" and "limited to 0.5 cores" in found["cores"][1]
    assert found["turbo"][1].startswith("on")


def test_stat_that_is_not_there_is_a_warning(tmp_path):
    assert states(examine_processor(machine(tmp_path)))["stolen time"][0] == "warning"


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("200000 100000", 2.0), ("", None), ("1 0", None)]
)
def test_quota(tmp_path, text, quota):
    assert read_quota(machine(tmp_path, {"sys/fs/cgroup/cpu.max": text})) == quota


def test_little_memory_is_a_warning(tmp_path):
    host = machine(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  1048576 kB\n"})
    assert states(examine_space(host))["memory"] == ("warning", "1.07 GB free")


def test_isolation(tmp_path):
    host = machine(tmp_path, {"proc/self/status": "Name:\tx\nSeccomp:\t0\n",
                              "proc/sys/user/max_user_namespaces": "99\n"})  # fmt: skip
    assert states(examine_isolation(host, lambda: 4)) == {
        "landlock": ("ok", "ABI 4"),
        "seccomp": ("ok", "available"),
        "user namespaces": ("ok", "available"),
        "workers": ("ok", f"bounded: {', '.join(bounds(4))}"),
    }
    none = states(examine_isolation(machine(tmp_path / "e"), lambda: Missing(reason="ENOSYS")))
    assert {state for state, _ in none.values()} == {"warning"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [("unprivileged_userns_clone", "0"), ("apparmor_restrict_unprivileged_userns", "1")],
)
def test_user_namespaces_can_be_forbidden(tmp_path, setting, value):
    files = {"proc/sys/user/max_user_namespaces": "99", f"proc/sys/kernel/{setting}": value}
    found = read_user_namespaces(machine(tmp_path, files))
    assert isinstance(found, Missing)


def test_landlock_is_asked_and_restricts_nothing(tmp_path):
    found = landlock_abi()
    assert (isinstance(found, int) and found >= 1) or isinstance(found, Missing)
    (tmp_path / "still").write_text("writable")
    assert isinstance(Host().read(str(tmp_path / "still").lstrip("/")), str)
