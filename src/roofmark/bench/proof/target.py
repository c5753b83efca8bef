"""Does a binary hold what was asked for, and can this device run it?

In: the targets found in a binary. Out: nothing, or BuildError that names both sides.

SASS for sm_XY runs on devices of the same major version whose minor version is not smaller; with
the suffix "a" on exactly X.Y; with "f" on the family from X.Y on. PTX for compute_XY can be
compiled for any device from X.Y on. Source: CUDA C++ programming guide, "Compute capability" and
"Family- and architecture-specific features".
"""

import re
from typing import Protocol

from roofmark.bench.proof.errors import BuildError
from roofmark.bench.proof.isa import ENOUGH
from roofmark.evidence import Target
from roofmark.records import Missing

_SM = re.compile(r"^sm_(\d+)(\d)([af]?)$")


class Found(Protocol):
    """What the checks need of a proof."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets found in the binary."""
        ...

    @property
    def isa(self) -> tuple[str, ...] | Missing:
        """The instruction sets, or why they are not known."""
        ...


def check_target(found: Found, wanted: str) -> None:
    """Check that `wanted` is in the binary as machine code. Raises: BuildError if it is not."""
    if wanted.startswith("sm_"):
        _check_sass(found, wanted)
    elif isinstance(found.isa, Missing):
        raise BuildError(f"asked for {wanted}; nothing can be proved: {found.isa.reason}")
    elif not _holds(found.isa, wanted):
        raise BuildError(
            f"asked for {wanted}; the binary holds {', '.join(found.isa) or 'none of it'}. The "
            "compiler found no use for it, or a flag took it away; look at its log"
        )


def check_runs_on(found: Found, device_capability: str) -> None:
    """Check that a device of that compute capability can run the binary's device code.

    Raises: BuildError when it cannot. A binary without device code (it calls a library) passes.
    """
    device = [each for each in found.targets if each.kind in ("sass", "ptx")]
    if device and not any(_can_run(each, device_capability) for each in device):
        raise BuildError(
            f"no kernel image for this device: it has compute capability {device_capability}; "
            f"the binary holds {_list(device)}"
        )


def runs_on(sass: str, device_capability: str) -> bool:
    """Return whether SASS such as "sm_90a" runs on a device of that capability ("9.0")."""
    parts = _SM.match(sass)
    if parts is None:
        return False
    major, minor = (int(each) for each in device_capability.split("."))
    built = (int(parts[1]), int(parts[2]))
    if parts[3] == "a":
        return built == (major, minor)
    return built[0] == major and built[1] <= minor


def _can_run(target: Target, device_capability: str) -> bool:
    if target.kind == "sass":
        return runs_on(target.name, device_capability)
    parts = _SM.match(target.name)
    major, minor = (int(each) for each in device_capability.split("."))
    if parts is None or parts[3]:
        return runs_on(target.name, device_capability)
    return (int(parts[1]), int(parts[2])) <= (major, minor)


def _check_sass(found: Found, wanted: str) -> None:
    device = [each for each in found.targets if each.kind in ("sass", "ptx")]
    if not any(each.kind == "sass" and each.name == wanted for each in device):
        raise BuildError(f"asked for {wanted}; the binary holds {_list(device)}")


def _list(device: list[Target]) -> str:
    named = [each.name if each.kind == "sass" else f"PTX for {each.name}" for each in device]
    return ", ".join(named) or "no device code"


def _holds(isa: tuple[str, ...], wanted: str) -> bool:
    if wanted == "native":
        return bool(isa)  # whatever the compiler chose for this processor; `isa` says what
    if wanted.startswith("arm"):
        return ("sve" if "sve" in wanted else "neon") in isa
    return any(each in isa for each in ENOUGH.get(wanted, (wanted,)))
