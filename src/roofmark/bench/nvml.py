"""NVML, asked politely: every answer is a value or `Missing` with the driver's own words.

In: the `pynvml` module (or anything with its functions). Out: `Nvml`. It exists because most NVML
queries are optional: which ones a GPU answers depends on the board, the driver, the container.
NVML creates no CUDA context, so a process that reads clocks holds no device memory.
"""

from typing import Any

from roofmark.records import Missing


class Nvml:
    """An initialised NVML library."""

    def __init__(self, library: Any) -> None:
        """Take an initialised `pynvml`; use `open_nvml`."""
        self._library = library

    def ask(self, function: str, *arguments: Any) -> Any:
        """Return what `nvml<function>` answers, or Missing with the reason."""
        try:
            answer = getattr(self._library, f"nvml{function}")(*arguments)
        except self._library.NVMLError as error:
            return Missing(reason=f"NVML {function}: {error}")
        except (AttributeError, TypeError, ValueError) as error:
            return Missing(reason=f"NVML {function}: this binding cannot ask it ({error})")
        return answer.decode(errors="replace") if isinstance(answer, bytes) else answer

    def device(self, uuid: str) -> Any:
        """Return the handle of the device (or the parent of the MIG instance) of that UUID."""
        handle = self.ask("DeviceGetHandleByUUID", uuid)
        if uuid.startswith("MIG-") and not isinstance(handle, Missing):
            return self.ask("DeviceGetDeviceHandleFromMigDeviceHandle", handle)
        return handle


def open_nvml() -> Nvml | Missing:
    """Return NVML, or why this machine has none."""
    try:
        import pynvml
    except ImportError as error:
        return Missing(reason=f"the package nvidia-ml-py cannot be imported: {error}")
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, OSError) as error:
        return Missing(reason=f"NVML does not start: {error}")
    return Nvml(pynvml)
