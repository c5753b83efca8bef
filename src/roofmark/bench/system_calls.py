"""Take system calls away from this process and all it starts, by a seccomp filter.

In: nothing. Out: whether the kernel took the filter. Refused are calls that look into other
processes, make namespaces or mounts, load code into the kernel, set clocks, wake who was stopped,
or open a socket to anywhere but this machine's own programs. The filter is a few compares for each
call.
"""

import ctypes
import errno
import platform
import struct

# Source: asm/unistd_64.h (x86-64) and asm-generic/unistd.h (AArch64), linux/audit.h.
_MACHINES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    # audit architecture; socket; prlimit64; the refused: ptrace, process_vm_readv,
    # process_vm_writev, pidfd_getfd, bpf, perf_event_open, mount, umount2, unshare, setns,
    # pivot_root, add_key, request_key, keyctl, userfaultfd, init_module, finit_module, kexec_load,
    # reboot, settimeofday, clock_settime, adjtimex, clock_adjtime, io_uring_setup, setpriority,
    # sched_setparam, sched_setscheduler, sched_setattr, ioprio_set
    "x86_64": (0xC000003E, 41, 302,
               (101, 310, 311, 438, 321, 298, 165, 166, 272, 308, 155, 248, 249, 250, 323, 175, 313,
                246, 169, 164, 227, 159, 305, 425, 141, 142, 144, 314, 251)),
    "aarch64": (0xC00000B7, 198, 261,
                (117, 270, 271, 438, 280, 241, 40, 39, 97, 268, 41, 217, 218, 219, 282, 105, 273,
                 104, 142, 170, 112, 171, 266, 425, 140, 118, 119, 274, 30)),
}  # fmt: skip
# timer_create and mq_notify, by which the kernel would send SIGCONT to who was stopped.
_CONNECT = {"x86_64": 42, "aarch64": 203}
_TIMERS = {"x86_64": (222, 244), "aarch64": (107, 184)}
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
_FCNTL = {"x86_64": 72, "aarch64": 25}
# Source: linux/fcntl.h: F_SETSIG, by which input and output send any signal, SIGCONT as well.
_SET_SIGNAL = 10
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
# Source: linux/seccomp.h. Without it, kernels before 5.16 make every filtered process slower.
_SPEC_ALLOW = 1 << 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
# Source: linux/bpf_common.h: load a word, jump if equal, jump if greater or equal, return.
_LOAD, _IF_EQUAL, _IF_LARGE, _RETURN, _AND = 0x20, 0x15, 0x35, 0x06, 0x54
# Source: struct seccomp_data: number, architecture, pointer, arguments (low word first).
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
# Source: linux/socket.h: AF_UNIX, and AF_NETLINK, through which the C library asks the kernel.
_UNIX, _NETLINK = 1, 16
# Source: linux/net.h: SOCK_STREAM, SOCK_SEQPACKET; flags are above the mask. Others send to a path
# without a connection.
_CONNECTED, _TYPE = (1, 5), 0xF
# Source: prlimit(2): the calling process. Limits of another one would end it.
_ITSELF = (0,)
# Source: asm/unistd.h: calls of the x32 machine, which has other numbers, begin here.
_X32 = 0x40000000


def known_machine() -> bool:
    """Return whether the numbers of this machine's calls are known here."""
    return platform.machine() in _MACHINES


def forbid_calls(*, connects: bool = False) -> bool:
    """Install the filter; return whether it is in force. `no_new_privs` has to be set.

    connects: it may connect sockets. A program of the same user that listens at a path would do for
    a worker what it may not do itself, and no rule for files holds there.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        return False
    architecture, socket, limits, refused = _MACHINES[machine]
    sockets = _first_argument_is((_UNIX, _NETLINK)) if connects else _is_connected_socket()
    asked = {
        socket: sockets,
        _SOCKETPAIR[machine]: sockets,
        limits: _first_argument_is(_ITSELF),
        _FCNTL[machine]: _second_argument_is_not(_SET_SIGNAL),
    }
    refused += _TIMERS[machine] if connects else (*_TIMERS[machine], _CONNECT[machine])
    program = _program(architecture, refused, asked)
    code = ctypes.create_string_buffer(b"".join(program))
    header = _Program(len(program), ctypes.cast(code, ctypes.c_void_p))
    answer = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(_SECCOMP[machine]),
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_SPEC_ALLOW),
        ctypes.byref(header),
    )
    return answer == 0


def _program(
    architecture: int, refused: tuple[int, ...], asked: dict[int, list[bytes]]
) -> list[bytes]:
    """Return the filter's instructions; jumps count what lies between.

    asked: calls that are allowed with some arguments alone, and the block that looks at them.
    Refused is also all that comes by another machine's gate (`int 0x80`), where the same numbers
    mean other calls.
    """
    tests: list[bytes] = []
    blocks: list[bytes] = []
    # Behind the tests lie: allow, refuse, and a block for each of `asked`, the last one first.
    for number, block in reversed(asked.items()):
        tests.insert(0, _step(_IF_EQUAL, number, yes=len(tests) + 2 + len(blocks)))
        blocks += block
    for number in reversed(refused):
        tests.insert(0, _step(_IF_EQUAL, number, yes=len(tests) + 1))
    tests.insert(0, _step(_IF_LARGE, _X32, yes=len(tests) + 1))
    head = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, no=1 + len(tests) + 1),
        _step(_LOAD, _NUMBER),
    ]
    ends = [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    return [*head, *tests, *ends, *blocks]


def _first_argument_is(values: tuple[int, ...]) -> list[bytes]:
    """Return a block that allows these first arguments and refuses others."""
    tests = [_step(_IF_EQUAL, each, yes=len(values) - k) for k, each in enumerate(values)]
    return [_step(_LOAD, _FIRST_ARGUMENT), *tests, _step(_RETURN, _REFUSE), _step(_RETURN, _ALLOW)]


def _second_argument_is_not(value: int) -> list[bytes]:
    """Return a block that refuses this second argument and allows others."""
    return [
        _step(_LOAD, _SECOND_ARGUMENT),
        _step(_IF_EQUAL, value, no=1),
        _step(_RETURN, _REFUSE),
        _step(_RETURN, _ALLOW),
    ]


def _is_connected_socket() -> list[bytes]:
    """Return a block that allows sockets to the kernel, and those that need a connection to speak.

    A datagram reaches whoever listens at a path, connected or not.
    """
    types = [_step(_IF_EQUAL, each, yes=len(_CONNECTED) - k) for k, each in enumerate(_CONNECTED)]
    return [
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, _NETLINK, yes=4 + len(types)),
        _step(_IF_EQUAL, _UNIX, no=2 + len(types)),
        _step(_LOAD, _SECOND_ARGUMENT),
        _step(_AND, _TYPE),
        *types,
        _step(_RETURN, _REFUSE),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return one struct sock_filter."""
    return struct.pack("=HBBI", code, yes, no, value)


class _Program(ctypes.Structure):
    """Source: struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
