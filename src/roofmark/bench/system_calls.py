"""Take system calls away from this process and all it starts, by a seccomp filter.

In: nothing. Out: whether the kernel took the filter. Refused are calls that look into other
processes, make namespaces or mounts, load code into the kernel, set clocks, or open a socket to
anywhere but this machine's own programs. The filter is a few compares for each call.
"""

import ctypes
import errno
import platform
import struct

# Source: asm/unistd_64.h (x86-64) and asm-generic/unistd.h (AArch64), linux/audit.h.
_MACHINES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    # audit architecture; socket; the refused: ptrace, process_vm_readv, process_vm_writev,
    # pidfd_getfd, bpf, perf_event_open, mount, umount2, unshare, setns, pivot_root, add_key,
    # request_key, keyctl, userfaultfd, init_module, finit_module, kexec_load, reboot, settimeofday,
    # clock_settime, adjtimex, clock_adjtime, io_uring_setup
    "x86_64": (0xC000003E, 41, (101, 310, 311, 438, 321, 298, 165, 166, 272, 308, 155, 248, 249,
                                250, 323, 175, 313, 246, 169, 164, 227, 159, 305, 425)),
    "aarch64": (0xC00000B7, 198, (117, 270, 271, 438, 280, 241, 40, 39, 97, 268, 41, 217, 218,
                                  219, 282, 105, 273, 104, 142, 170, 112, 171, 266, 425)),
}  # fmt: skip
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
# Source: linux/seccomp.h. Without it, kernels before 5.16 make every filtered process slower.
_SPEC_ALLOW = 1 << 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
# Source: linux/bpf_common.h: load a word, jump if equal, return.
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
# Source: struct seccomp_data: number, architecture, pointer, arguments (low word first).
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
# Source: linux/socket.h: AF_UNIX, and AF_NETLINK, through which the C library asks the kernel.
_FAMILIES = (1, 16)


def known_machine() -> bool:
    """Return whether the numbers of this machine's calls are known here."""
    return platform.machine() in _MACHINES


def forbid_calls() -> bool:
    """Install the filter; return whether it is in force. `no_new_privs` has to be set."""
    machine = platform.machine()
    if machine not in _MACHINES:
        return False
    program = _program(*_MACHINES[machine])
    code = ctypes.create_string_buffer(b"".join(program))
    header = _Program(len(program), ctypes.cast(code, ctypes.c_void_p))
    answer = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(_SECCOMP[machine]),
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_SPEC_ALLOW),
        ctypes.byref(header),
    )
    return answer == 0


def _program(architecture: int, socket: int, refused: tuple[int, ...]) -> list[bytes]:
    """Return the filter's instructions; jumps count what lies between."""
    ends = [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    families = [_step(_LOAD, _FIRST_ARGUMENT)]
    families += [
        _step(_IF_EQUAL, each, yes=len(_FAMILIES) - 1 - k, no=len(ends) - 1 if each == 16 else 0)
        for k, each in enumerate(_FAMILIES)
    ]
    body = [_step(_LOAD, _NUMBER)]
    for k, number in enumerate(refused):
        rest = len(refused) - 1 - k + 1 + len(families)
        body.append(_step(_IF_EQUAL, number, yes=rest + 1))
    body.append(_step(_IF_EQUAL, socket, yes=0, no=len(families)))
    total = len(body) + len(families)
    head = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, yes=0, no=total + 1),
    ]
    return [*head, *body, *families, *ends]


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return one struct sock_filter."""
    return struct.pack("=HBBI", code, yes, no, value)


class _Program(ctypes.Structure):
    """Source: struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
