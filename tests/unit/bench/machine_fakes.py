"""Made-up machines: a folder that looks like `/`, and an NVML that answers from a table."""

from roofmark.bench.driver import DriverDevice
from roofmark.bench.host import Host
from roofmark.bench.nvml import Nvml
from roofmark.records import Missing

UUID = "0b1c2d3e-0000-0000-0000-000000000001"

DEVICE = DriverDevice(
    name="NVIDIA H200",
    uuids=(f"GPU-{UUID}", f"MIG-{UUID}"),
    compute_capability="9.0",
    multiprocessors=132,
    memory=150_000_000_000,
    last_level_cache=62_914_560,
    cuda_version="13.0",
)


class NotSupported(Exception):
    pass


class Memory:
    total, free, used = 150_000_000_000, 149_000_000_000, 1_000_000_000


class FakeNvml:
    """Answers as pynvml does: returns, or raises NVMLError."""

    NVMLError = NotSupported

    def __init__(self, **answers):
        self.answers = {
            "SystemGetDriverVersion": "580.159",
            "DeviceGetHandleByUUID": self.handle,
            "DeviceGetEnforcedPowerLimit": 700_000,
            "DeviceGetMaxClockInfo": 1980,
            "DeviceGetPersistenceMode": 1,
            "DeviceGetMigMode": [0, 0],
            "DeviceGetComputeRunningProcesses": [],
            "DeviceGetClockInfo": lambda handle, clock: {1: 1755, 2: 3201}[clock],
            "DeviceGetTemperature": 41,
            "DeviceGetPowerUsage": 250_500,
            "DeviceGetCurrentClocksEventReasons": 0x4,
            "DeviceGetMemoryInfo": Memory(),
        } | answers

    @staticmethod
    def handle(uuid):
        if uuid != f"GPU-{UUID}":
            raise NotSupported("Not Found")
        return "handle"

    def __getattr__(self, name):
        def call(*arguments):
            if name.removeprefix("nvml") not in self.answers:
                raise NotSupported("Not Supported")
            answer = self.answers[name.removeprefix("nvml")]
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        if not name.startswith("nvml"):
            raise AttributeError(name)
        return call


def no_nvml():
    return Missing(reason="NVML does not start: Library Not Found")


def silent(command, limit):
    return Missing(reason=f"{command[0]} is not to be run here")


def machine(root, files=None, *, environ=None, run=silent, nvml=None):
    """Return a Host whose `/` is `root`, holding `files`; nvml: a FakeNvml, or none."""
    for path, text in (files or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    library = no_nvml if nvml is None else lambda: Nvml(nvml)
    return Host(root=root, environ=environ or {}, run=run, nvml=library)
