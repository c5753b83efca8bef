"""What a worker says of its own memory, from the kernel's own account."""

import ctypes

import pytest

from roofmark.bench.memory import MemoryWatch
from roofmark.evidence import MemoryUse
from roofmark.records import Missing
from tiny import peak_resets

MIB = 2**20


def touched(size):
    buffer = ctypes.create_string_buffer(size)
    ctypes.memset(buffer, 1, size)
    return buffer


def test_the_peak_is_seen_though_it_is_gone_and_each_workload_begins_anew():
    watch = MemoryWatch(cuda=False)
    watch.begin()
    kept = touched(64 * MIB)
    watch.bound()
    gone = touched(128 * MIB)
    del gone
    use = watch.read().host
    if not peak_resets():
        pytest.skip("this kernel resets no peak of memory")
    assert isinstance(use, MemoryUse)
    assert 60 * MIB < use.bound - use.before < 80 * MIB
    assert 180 * MIB < use.peak - use.before < 220 * MIB
    assert watch.read().driver == watch.read().allocator == Missing(reason="the run was on the CPU")
    del kept
    watch.begin()
    watch.bound()
    again = watch.read().host
    assert isinstance(again, MemoryUse)
    assert again.peak - again.before < 8 * MIB and again.before < use.peak


def test_a_kernel_that_does_not_tell_leaves_a_reason(tmp_path):
    watch = MemoryWatch(cuda=False, process=tmp_path / "nothing")
    watch.begin()
    watch.bound()
    assert "cannot be reset" in watch.read().host.reason
    (tmp_path / "clear_refs").write_text("")
    (tmp_path / "status").write_text("VmRSS:\t 1 kB\n")
    watch = MemoryWatch(cuda=False, process=tmp_path)
    watch.begin()
    watch.bound()
    assert "does not tell" in watch.read().host.reason
    (tmp_path / "status").write_text("VmHWM:\t 7 kB\nVmRSS:\t 5 kB\n")
    watch.begin()
    watch.bound()
    assert watch.read().host == MemoryUse(before=5120, bound=5120, peak=7168)
