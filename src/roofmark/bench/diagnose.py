"""What does a wrong output look like? A hint for the reader; the verdict needs none of it.

In: outputs [slots, *shape], the reference, the inputs, outputs that were right before. Out: signs.
Only what cannot be a coincidence is said: bytes that were poisoned and are untouched, values that
are bit for bit those of another call or of an input, one value throughout, or an error that is just
that of a narrower format.
"""

from collections import deque
from collections.abc import Iterator, Mapping

import torch

from roofmark.evidence import Sign

# Chosen: the last visits of a few solutions; a replay repeats what was asked shortly before.
_REMEMBERED = 16
_SAMPLE = 1024
# Source: IEEE 754 and bfloat16: half a unit in the last place of 8, 11 and (TF32) 11 bits. An error
# within a factor of 8 around it is that of rounding, and of its growth through a sum.
_FORMATS = {"bfloat16": 2.0**-9, "float16 or TF32": 2.0**-12}
_WITHIN = 8.0


class Seen:
    """Samples of outputs that were right, from slots of earlier visits."""

    def __init__(self) -> None:
        """Start with none."""
        self._samples: deque[torch.Tensor] = deque(maxlen=_REMEMBERED)

    def remember(self, outputs: Mapping[str, torch.Tensor]) -> None:
        """Keep a sample of each slot's output."""
        self._samples.extend(_sampled(out).clone() for out in outputs.values() if out.numel())

    def holds(self, row: torch.Tensor) -> bool:
        """Whether this output was right before."""
        found = _sampled(row[None])
        return any(
            each.shape[1:] == found.shape[1:]
            and each.dtype == found.dtype
            and bool((each == found).all(dim=1).any())
            for each in self._samples
        )


def diagnose(
    name: str, out: torch.Tensor, ref: torch.Tensor, inputs: Mapping[str, torch.Tensor], seen: Seen
) -> Iterator[Sign]:
    """Yield what the wrong rows of `out` look like, the most telling first."""
    for row, right, number in zip(out, ref, range(len(out)), strict=True):
        if not row.numel() or torch.equal(row, right.to(row.dtype)):
            continue
        if sign := _sign(name, row, right, {n: t[number] for n, t in inputs.items()}, seen):
            yield sign
            return


def _sign(
    name: str,
    row: torch.Tensor,
    right: torch.Tensor,
    inputs: Mapping[str, torch.Tensor],
    seen: Seen,
) -> Sign | None:
    blank = _blank(row)
    if blank == 1:
        return Sign(kind="unwritten", text=f"{name} holds what it was poisoned with: not written")
    if blank > 0:
        text = f"{100 * blank:.2g} % of {name} hold what they were poisoned with"
        return Sign(kind="late", text=f"{text}: not written, or not yet")
    if bool((row == row.flatten()[0]).all()):
        value = row.flatten()[0].item()
        return Sign(kind="constant", text=f"every element of {name} is {value:g}")
    if seen.holds(row):
        return Sign(kind="replayed", text=f"{name} is, bit for bit, what another call had to give")
    for other, tensor in inputs.items():
        if tensor.shape == row.shape and tensor.dtype == row.dtype and torch.equal(tensor, row):
            return Sign(kind="copied", text=f"{name} is the input {other}, bit for bit")
    return _rounded(name, row, right)


def _rounded(name: str, row: torch.Tensor, right: torch.Tensor) -> Sign | None:
    """Say which format's rounding an error is, if the output claims to be finer than that."""
    if row.dtype not in (torch.float32, torch.float64):
        return None
    norm = torch.linalg.vector_norm(right.double())
    error = float(torch.linalg.vector_norm(row.double() - right.double()) / norm)
    for form, unit in _FORMATS.items():
        if unit / _WITHIN**0.5 < error < unit * _WITHIN**0.5:
            text = f"the error of {name}, {error:.1e}, is that of rounding to {form}"
            return Sign(kind="rounded", text=text)
    return None


def _blank(row: torch.Tensor) -> float:
    """Return the share of elements whose every bit is set, as poison leaves them."""
    if not row.dtype.is_floating_point:
        return 0.0
    flat = row.contiguous().view(torch.uint8).view(-1, row.element_size())
    return float((flat == 0xFF).all(dim=1).double().mean())


def _sampled(rows: torch.Tensor) -> torch.Tensor:
    """Return about a thousand elements of each row, [rows, elements]."""
    flat = rows.flatten(1)
    return flat[:, :: max(1, flat.shape[1] // _SAMPLE)][:, :_SAMPLE]
