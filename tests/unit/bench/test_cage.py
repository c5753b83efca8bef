"""A confined process, and one whose functions were replaced, each in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from roofmark.bench.cage import Cage, in_words, landlock_version, offered
from roofmark.bench.descendants import end_tree
from roofmark.bench.family import Family
from roofmark.bench.orders import Order, Post, cage_of
from roofmark.bench.pausing import children_of, cpu_seconds_below
from roofmark.bench.sealed import create_memory
from roofmark.study import VAR, Definition, Device, Protocol, Solution, Tensor, Tolerance

_TRY = """
import ctypes, fcntl, json, mmap, os, platform, resource, socket, subprocess, sys, threading
import msgspec
from roofmark.bench.cage import Cage, confine
cage = msgspec.json.decode(sys.argv[1], type=Cage)
enforced = confine(cage)
def tried(do):
    try:
        do()
    except OSError as error:
        return type(error).__name__
    return "done"
def gate():
    # push rbx; mov eax, 20 (getpid of 32-bit programs); int 0x80; cdqe; pop rbx; ret
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex("53b814000000cd8048985bc3"))
    place = ctypes.addressof(ctypes.c_char.from_buffer(code))
    if ctypes.CFUNCTYPE(ctypes.c_long)(place)() < 0:
        raise PermissionError
def tried_gate():
    # A kernel that has no such gate ends who asks at it.
    if platform.machine() != "x86_64":
        return "PermissionError"
    child = os.fork()
    if child == 0:
        os._exit(tried(gate) == "done")
    return "done" if os.waitpid(child, 0)[1] == 256 else "PermissionError"
own, hidden, parent = cage.own, cage.hidden[0], os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
timer = ctypes.create_string_buffer(8)
print(json.dumps({
    "enforced": enforced,
    "write own": tried(lambda: open(own + "/a", "w").write("x")),
    "run own": tried(lambda: subprocess.run(["/bin/sh", "-c", "echo > " + own + "/b"], check=True)),
    "thread": tried(lambda: threading.Thread(target=len, args=("",)).start()),
    "write null": tried(lambda: open("/dev/null", "w").write("x")),
    "read hidden": tried(lambda: open(hidden + "/secret").read()),
    "list hidden": tried(lambda: os.listdir(hidden)),
    "write beside": tried(lambda: open(hidden + "/c", "w")),
    "write home": tried(lambda: open(os.path.expanduser("~/roofmark-was-here"), "w")),
    "signal": tried(lambda: os.kill(parent, 0)),
    "memory": tried(lambda: open(f"/proc/{parent}/mem", "rb")),
    "socket": tried(lambda: socket.socket()),
    "pair": tried(lambda: socket.socketpair()),
    "link": tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)),
    "kernel": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "datagram": tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "datagrams": tried(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "flags": tried(lambda: fcntl.fcntl(0, fcntl.F_GETFL)),
    "wake by file": tried(lambda: fcntl.fcntl(0, 10, 18)),
    "wake by timer": "done" if libc.timer_create(1, None, timer) == 0 else "PermissionError",
    "raw": tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_RAW)),
    "ptrace": "done" if libc.ptrace(0x4206, parent, None, None) == 0 else "refused",
    "connect": tried(lambda: socket.socket(socket.AF_UNIX).connect(own + "/nobody")),
    "gate": tried_gate(),
    "own limit": tried(lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))),
    "limit": tried(lambda: resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0))),
    "priority": tried(lambda: os.nice(1)),
    "scheduler": tried(lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))),
    "large": tried(lambda: os.truncate(own + "/a", 2**21)),
}))
"""


@pytest.fixture
def tried(tmp_path: Path) -> dict[str, object]:
    return _try_all(tmp_path)


def _try_all(folder: Path, *, connects: bool = False) -> dict[str, object]:
    own, hidden = folder / "hidden" / "own", folder / "hidden"
    own.mkdir(parents=True)
    (hidden / "secret").write_text("s")
    cage = Cage(own=str(own), hidden=(str(hidden),), file_bytes=2**20, connects=connects)
    # A large file ends in a signal, unless that is ignored.
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + _TRY
    done = subprocess.run(
        [sys.executable, "-c", code, in_words(cage)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_granted_works(tried: dict[str, object]) -> None:
    for name in (
        "write own", "run own", "thread", "write null", "pair", "link", "kernel", "flags",
        "own limit",
    ):  # fmt: skip
        assert tried[name] == "done", name
    assert tuple(tried["enforced"]) == offered()  # pyright: ignore[reportArgumentType]


def test_what_is_not_granted_is_refused(tried: dict[str, object]) -> None:
    assert tried["large"] == "OSError"
    if "system calls" in offered():
        assert tried["ptrace"] == "refused"
        for name in (
            "socket", "connect", "datagram", "datagrams", "raw", "gate", "limit", "priority",
            "scheduler", "wake by file", "wake by timer",
        ):  # fmt: skip
            assert tried[name] == "PermissionError", name
    if landlock_version() < 6:
        pytest.skip("this kernel has no landlock of version 6")
    for name in ("read hidden", "list hidden", "write beside", "write home", "signal", "memory"):
        assert tried[name] == "PermissionError", name


def test_who_needs_a_server_may_ask_it_and_nothing_more(
    tmp_path: Path, tried: dict[str, object]
) -> None:
    asking = _try_all(tmp_path / "asking", connects=True)
    if "system calls" in offered():
        assert asking.pop("connect") == "FileNotFoundError"
        assert asking.pop("datagram") == asking.pop("datagrams") == asking.pop("raw") == "done"
        assert asking.items() <= tried.items()


@pytest.mark.parametrize(
    ("device", "serves", "connects"),
    [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)],
)
def test_workers_connect_where_a_server_shares_the_gpu_out(
    device: Device, serves: bool, connects: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    if serves:
        os.mkfifo(tmp_path / "control")
    definition = Definition(
        name="copy", axes={"n": VAR}, inputs={"x": Tensor("n", "float32")},
        outputs={"y": Tensor("n", "float32")}, reference="reference.py::copy",
        tolerance=Tolerance(rms=1e-3), flops="n", traffic="8*n",
    )  # fmt: skip
    order = Order(
        definition=definition, protocol=Protocol(), device=device, reference_folder=tmp_path,
        scratch=tmp_path, entropy="", flush=0,
    )  # fmt: skip
    post = Post(name="fast", solution=Solution("fast", "fast.py::copy"), folder=tmp_path)
    assert cage_of(order, post, 0).connects is connects


_PATCH = {
    "time.perf_counter_ns": "import time; time.perf_counter_ns = lambda: 0",
    "CallTimer.take": (
        "from roofmark.bench import timer\n"
        "def take(self, slots, calls, cache): return None\n"
        "timer.CallTimer.take.__code__ = take.__code__"
    ),
    "roofmark.bench.timer.time": "import os; from roofmark.bench import timer; timer.time = os",
    "Flusher.flush": "from roofmark.bench import cache; cache.Flusher.flush = lambda self: None",
    "Event.elapsed_time": "import torch; torch.cuda.Event.elapsed_time = lambda *_: 0",
    "Tensor.copy_": "import torch; torch.Tensor.copy_ = lambda *_: 0",
    "MemoryWatch.read": (
        "from roofmark.bench import memory; memory.MemoryWatch.read = lambda self: None"
    ),
}


def test_replaced_functions_are_named() -> None:
    code = (
        "import json, sys\n"
        "import roofmark.bench.worker as worker, roofmark.bench.guard as guard\n"
        "guard.take_references()\n"
        "found = [guard.find_patches()]\n"
        "for patch in json.loads(sys.argv[1]):\n"
        "    exec(patch)\n"
        "    found.append(guard.find_patches())\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(list(_PATCH.values()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, *found = json.loads(done.stdout)
    assert before == []
    for name, names in zip(_PATCH, found, strict=True):
        assert any(each.endswith(name) for each in names), (name, names)


def test_stopped_processes_do_not_run() -> None:
    forks = "import os\nif os.fork() == 0:\n    os.setsid()\nwhile True: pass"
    busy = subprocess.Popen(
        [sys.executable, "-c", f"import os\nif os.fork():\n    os.wait()\n{forks}"]
    )
    try:
        while len(children_of(busy.pid)) < 1 or cpu_seconds_below(busy.pid) < 0.05:
            pass
        family = Family(busy.pid)
        family.pause()
        before = cpu_seconds_below(busy.pid)
        assert before > 0
        os.sched_yield()
        subprocess.run(["sleep", "0.2"], check=True)
        assert cpu_seconds_below(busy.pid) == before
        family.resume()
        while cpu_seconds_below(busy.pid) <= before:
            pass
    finally:
        whole = [busy.pid, *children_of(busy.pid)]
        whole += [each for pid in whole[1:] for each in children_of(pid)]
        for pid in whole:
            os.kill(pid, 9)
        busy.wait()


_CHAIN = """
import os, sys, time
end = time.monotonic() + 20
if os.fork() == 0:
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
while True:
    os.waitpid(-1, 0)
"""


@pytest.fixture
def chain() -> Generator[subprocess.Popen[bytes]]:
    # As a keeper does, the first process adopts what its descendants leave behind.
    adopt = "import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
    first = subprocess.Popen([sys.executable, "-S", "-c", adopt + _CHAIN], start_new_session=True)
    while cpu_seconds_below(first.pid) < 0.1:
        pass
    yield first
    end_tree(first.pid, "no mark")
    first.wait()


def test_a_chain_of_processes_is_stopped_and_its_time_counted(
    chain: subprocess.Popen[bytes],
) -> None:
    # No link of it lives for so long that its own time could be seen.
    assert Family(chain.pid).pause()
    left = children_of(chain.pid)
    os.sched_yield()
    assert children_of(chain.pid) == left


def test_a_chain_of_processes_is_ended(chain: subprocess.Popen[bytes]) -> None:
    end_tree(chain.pid, "no mark")
    chain.wait()
    sessions: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            sessions.add(path.read_text().rpartition(")")[2].split()[3])
    assert str(chain.pid) not in sessions


def test_memory_that_all_share_cannot_be_cut_short() -> None:
    shared = create_memory("test", 4096)
    with pytest.raises(PermissionError):
        os.ftruncate(shared, 0)
    os.close(shared)
