"""Reading the machine: small made-up files in, records with reasons out."""

import os
import subprocess
import sys

import pytest
from machine_fakes import DEVICE, UUID, FakeNvml, machine

from roofmark.bench.cpu import (
    collect_cpu,
    parse_isa,
    parse_load,
    parse_model,
    parse_size,
    read_last_level_cache,
)
from roofmark.bench.driver import query_driver
from roofmark.bench.environment import collect_environment, read_os
from roofmark.bench.gpu import collect_gpu
from roofmark.bench.host import Host, run_command
from roofmark.bench.software import (
    collect_git,
    collect_packages,
    collect_variables,
    parse_version,
    read_version,
)
from roofmark.evidence import Environment
from roofmark.records import Missing, decode, encode

X86 = """processor\t: 0
model name\t: AMD EPYC 9654
flags\t\t: fpu sse4_2 avx2 hypervisor avx512f fma unheard_of

processor\t: 1
model name\t: AMD EPYC 9654
"""
ARM = """processor : 0
Features : fp asimd sve bf16
CPU implementer : 0x41
CPU part : 0xd4f
processor : 1
CPU implementer : 0x41
CPU part : 0xd85
"""
CORE = f"sys/devices/system/cpu/cpu{min(os.sched_getaffinity(0))}"


def cache(index, level, kind, size):
    folder = f"{CORE}/cache/index{index}"
    return {f"{folder}/level": level, f"{folder}/type": kind, f"{folder}/size": size}


# --- processor -----------------------------------------------------------------------------------
def test_cpuinfo_of_x86_and_arm():
    assert parse_model(X86) == "AMD EPYC 9654"
    assert set(parse_isa(X86)) == {
        "sse4_2", "fma", "avx2", "avx512f"}  # fmt: skip
    assert parse_model(ARM) == "Arm implementer 0x41 part 0xd4f+0xd85"
    assert parse_isa(ARM) == ("asimd", "bf16", "sve")
    assert isinstance(parse_model("nothing : here"), Missing)
    assert parse_isa("") == ()


@pytest.mark.parametrize(("text", "size"), [("32768K\n", 2**25), ("2M", 2**21), ("512", 512)])
def test_cache_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1K", "12T", "32 K"])
def test_odd_cache_sizes_are_missing(text):
    assert isinstance(parse_size(text), Missing)


def test_last_level_cache_is_the_highest_that_holds_data(tmp_path):
    files = (
        cache(0, "1", "Data", "48K")
        | cache(1, "3", "Unified", "32M")
        | cache(2, "2", "Unified", "64M")
        | cache(3, "4", "Instruction", "1G")
    )
    assert read_last_level_cache(machine(tmp_path, files)) == 32 * 2**20


def test_every_gap_of_an_empty_machine_has_a_reason(tmp_path):
    cpu = collect_cpu(machine(tmp_path))
    for gap in (cpu.model, cpu.last_level_cache, cpu.governor, cpu.load, cpu.hypervisor):
        assert isinstance(gap, Missing) and gap.reason
    assert cpu.cores >= 1 and cpu.memory > 0 and cpu.isa == ()


def test_processor_of_a_made_up_machine(tmp_path):
    files = {
        "proc/cpuinfo": X86,
        "proc/loadavg": "1.25 0.9 0.5 1/90 4931\n",
        f"{CORE}/cpufreq/scaling_governor": "powersave\n",
        "sys/class/dmi/id/sys_vendor": "QEMU\n",
        "sys/class/dmi/id/product_name": "Standard PC\n",
    } | cache(0, "3", "Unified", "384M")
    cpu = collect_cpu(machine(tmp_path, files))
    assert (cpu.model, cpu.governor, cpu.load) == ("AMD EPYC 9654", "powersave", 1.25)
    assert (cpu.hypervisor, cpu.last_level_cache) == ("QEMU Standard PC", 384 * 2**20)


@pytest.mark.parametrize("text", ["", "busy"])
def test_unreadable_load_is_missing(text):
    assert isinstance(parse_load(text), Missing)


# --- GPU -----------------------------------------------------------------------------------------
def test_gpu_with_everything(tmp_path):
    gpu = collect_gpu(machine(tmp_path, nvml=FakeNvml()), lambda: DEVICE)
    assert (gpu.name, gpu.uuid, gpu.driver) == ("NVIDIA H200", f"GPU-{UUID}", "580.159")
    assert (gpu.power_limit, gpu.max_clock) == (700.0, 1.98e9)
    assert (gpu.persistence, gpu.mig, gpu.other_processes) == (True, False, 0)
    assert (gpu.multiprocessors, gpu.last_level_cache) == (132, 62_914_560)


def test_gpu_whose_board_answers_little(tmp_path):
    nvml = FakeNvml(
        DeviceGetMigMode=FakeNvml.NVMLError("Not Supported"),
        DeviceGetEnforcedPowerLimit=FakeNvml.NVMLError("Not Supported"),
    )
    gpu = collect_gpu(machine(tmp_path, nvml=nvml), lambda: DEVICE)
    assert gpu.power_limit == Missing(reason="NVML DeviceGetEnforcedPowerLimit: Not Supported")
    assert isinstance(gpu.mig, Missing) and gpu.max_clock == 1.98e9


def test_mig_instance_is_found_by_its_own_uuid(tmp_path):
    def handle(uuid):
        if uuid != f"MIG-{UUID}":
            raise FakeNvml.NVMLError("Not Found")
        return "slice"

    nvml = FakeNvml(
        DeviceGetHandleByUUID=handle,
        DeviceGetDeviceHandleFromMigDeviceHandle="parent",
        DeviceGetMigMode=lambda of: [1, 1] if of == "parent" else [0, 0],
    )
    gpu = collect_gpu(machine(tmp_path, nvml=nvml), lambda: DEVICE)
    assert (gpu.uuid, gpu.mig) == (f"MIG-{UUID}", True)


def test_gpu_without_nvml_keeps_what_the_driver_says(tmp_path):
    line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue\nGCC version: gcc 13.3\n"
    gpu = collect_gpu(machine(tmp_path, {"proc/driver/nvidia/version": line}), lambda: DEVICE)
    assert (gpu.driver, gpu.multiprocessors) == ("580.95.05", 132)
    assert isinstance(gpu.power_limit, Missing) and isinstance(gpu.mig, Missing)
    (tmp_path / "proc/driver/nvidia/version").unlink()
    assert isinstance(collect_gpu(machine(tmp_path), lambda: DEVICE), Missing)


def test_no_gpu_is_missing_with_the_drivers_words(tmp_path):
    gone = Missing(reason="cuInit: CUDA_ERROR_NO_DEVICE")
    gpu = collect_gpu(machine(tmp_path, nvml=FakeNvml()), lambda: gone)
    assert gpu == Missing(reason="no CUDA device: cuInit: CUDA_ERROR_NO_DEVICE")


def test_driver_answer_is_decoded_and_garbage_is_missing():
    line = encode(DEVICE).decode()
    assert query_driver(lambda *_, limit: f"a banner\n{line}\n") == DEVICE
    assert isinstance(query_driver(lambda *_, limit: "no json"), Missing)
    assert isinstance(query_driver(lambda *_, limit: ""), Missing)
    failed = query_driver(lambda *_, limit: Missing(reason="python exited with 1: cuInit: X"))
    assert failed == Missing(reason="cuInit: X")


# --- software ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("g++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022", "g++ (Debian 12.2.0-14) 12.2.0"),
        ("nvcc: NVIDIA (R)\nCopyright (c) 2005-2025\nCuda, release 13.0, V13.0.88",
         "Cuda, release 13.0, V13.0.88"),
        ("Nsight Compute\nVersion 2025.3.1.0 (build 3)", "Version 2025.3.1.0 (build 3)"),
    ],
)  # fmt: skip
def test_versions(text, line):
    assert parse_version(text) == line


def test_a_tool_without_version_or_with_an_error_is_missing(tmp_path):
    assert isinstance(parse_version("hello"), Missing)
    tool = tmp_path / "bin" / "ncu"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho broken library >&2\nexit 3\n")
    tool.chmod(0o755)
    host = Host(root=tmp_path, environ={"PATH": str(tool.parent)})
    assert read_version(host, "ncu") == Missing(reason="ncu exited with 3: broken library")
    assert isinstance(read_version(host, "nvcc"), Missing)


def test_tools_are_found_where_cuda_installs_them(tmp_path):
    for place in ("usr/local/cuda/bin/nvcc", "opt/nvidia/nsight-compute/2025.1/ncu",
                  "opt/nvidia/nsight-compute/2025.3/ncu", "home/bin/cuobjdump"):  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch(mode=0o755)
    host = machine(tmp_path, environ={"CUDA_HOME": str(tmp_path / "home")})
    assert host.find("nvcc") == tmp_path / "usr/local/cuda/bin/nvcc"
    assert host.find("ncu") == tmp_path / "opt/nvidia/nsight-compute/2025.3/ncu"
    assert host.find("cuobjdump") == tmp_path / "home/bin/cuobjdump"
    assert isinstance(host.find("nsys"), Missing)


def test_commands_that_hang_or_do_not_exist_are_missing():
    slow = run_command([sys.executable, "-c", "import time; time.sleep(9)"], 0.2)
    assert isinstance(slow, Missing) and "0.2 s" in slow.reason
    assert isinstance(run_command(["/no/such/tool"]), Missing)
    assert isinstance(run_command(["bad\0name"]), Missing)


def test_variables_that_matter_are_kept_and_secrets_are_not(tmp_path):
    environ = {
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "2",
        "GLIBC_TUNABLES": "x=y",
        "LD_PRELOAD": "/lib/evil.so",
        "PYTHONHASHSEED": "0",
        "TORCH_API_TOKEN": "hunter2",
        "NVIDIA_API_KEY": "hunter2",
        "TRITON_CACHE_URL": "https://me:hunter2@example.org/x",
        "LD_LIBRARY_PATH": "x" * 5000,
        "HOME": "/home/me",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "MY_CUDA_THING": "1",
    }
    kept = collect_variables(machine(tmp_path, environ=environ))
    assert kept["CUDA_VISIBLE_DEVICES"] == "1" and kept["LD_PRELOAD"] == "/lib/evil.so"
    assert {"OMP_NUM_THREADS", "GLIBC_TUNABLES", "PYTHONHASHSEED"} <= set(kept)
    assert not {"HOME", "AWS_SECRET_ACCESS_KEY", "MY_CUDA_THING"} & set(kept)
    assert "hunter2" not in repr(kept)
    assert kept["TRITON_CACHE_URL"] == "https://(login)@example.org/x"
    assert kept["LD_LIBRARY_PATH"].endswith("(and 904 characters more)")


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
    )


def test_git_tells_the_commit_and_whether_the_folder_differs(tmp_path):
    host, study = Host(), tmp_path / "study"
    study.mkdir()
    assert isinstance(collect_git(host, study), Missing)  # no repository
    git(tmp_path, "init", "-q")
    assert isinstance(collect_git(host, study), Missing)  # no commit yet
    (study / "study.py").write_text("1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    clean = collect_git(host, study)
    assert len(clean.commit) == 40 and not clean.dirty
    (tmp_path / "elsewhere").write_text("not the study's")
    assert not collect_git(host, study).dirty
    (study / "study.py").write_text("2\n")
    assert collect_git(host, study).dirty


def test_git_runs_no_program_that_the_repository_names(tmp_path):
    (tmp_path / "study.py").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    trap = tmp_path / ".git" / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(trap))
    assert not collect_git(Host(), tmp_path).dirty
    assert not (tmp_path / "sprung").exists()


def test_packages_are_those_installed():
    packages = collect_packages()
    assert {"torch", "numpy", "msgspec"} <= set(packages)
    assert "pytest" not in packages


# --- all together --------------------------------------------------------------------------------
def test_environment_of_this_machine_survives_a_round_trip(tmp_path):
    found = collect_environment("cpu", tmp_path, ())
    assert decode(encode(found), Environment, where="here") == found
    assert found.gpu == Missing(reason="not asked: this run measures the CPU")
    assert found.cpu.cores == len(os.sched_getaffinity(0))


def test_environment_of_an_empty_machine_is_all_reasons(tmp_path):
    found = collect_environment("cpu", tmp_path, (), host=machine(tmp_path))
    assert all(isinstance(tool, Missing) and tool.reason for tool in found.tools.values())
    assert isinstance(found.git, Missing) and found.variables == {}
    assert decode(encode(found), Environment, where="here") == found


def test_os_names_the_distribution(tmp_path):
    host = machine(tmp_path, {"etc/os-release": 'NAME="D"\nPRETTY_NAME="Debian 12"\n'})
    assert read_os(host).startswith("Debian 12, Linux ")
    assert read_os(machine(tmp_path / "empty")).startswith("Linux ")


def test_reading_the_environment_imports_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from roofmark.bench.environment import collect_environment\n"
        "import roofmark.bench.ceilings, roofmark.bench.clocks, roofmark.bench.doctor\n"
        f"collect_environment('cuda', Path({str(tmp_path)!r}), ())\n"
        "assert not {'torch', 'triton', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
