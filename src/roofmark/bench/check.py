"""Is an output right? Errors scaled by the reference's own magnitude, in float64.

In: outputs [slots, *shape] as a solution left them, the reference, a tolerance. Out: the worst
slot's error. A fixed absolute bound would let an all-zero decode attention over a long context
pass, because its true output is small; everything here is relative to rms(ref).

    rms  = ||out - ref|| / ||ref||                 per slot
    peak = max |out - ref| / (|ref| + rms(ref))    per slot
"""

import math

import torch

from roofmark.bench.messages import OutputError
from roofmark.study import Exact, Tolerance

_ENORMOUS = 1e30  # Source: units.Ratio: the largest one that a bundle can hold


def compare_outputs(
    name: str, out: torch.Tensor, ref: torch.Tensor, tolerance: Tolerance | Exact
) -> OutputError:
    """Return the worst error over the slots; out and ref are [n, *shape]."""
    if isinstance(tolerance, Exact):
        # Converted before comparing: the output's dtype is part of the definition.
        ref = ref.to(out.dtype)
    # One slot at a time on a host: what a comparison writes in between then stays in its cache.
    parts = out.shape[0] if out.device.type == "cpu" else 1
    errors = [
        _compare_scaled(o.flatten(1).double(), r.flatten(1).double())
        for o, r in zip(out.chunk(parts), ref.chunk(parts), strict=True)
    ]
    rms, peak = (max(error[i] for error in errors) for i in (0, 1))
    nonfinite = sum(error[2] for error in errors)
    if isinstance(tolerance, Exact):
        passed = torch.equal(out, ref)
    else:
        passed = nonfinite == 0 and rms <= tolerance.rms and peak <= tolerance.peak
    return OutputError(output=name, rms=rms, peak=peak, nonfinite=nonfinite, passed=passed)


def _compare_scaled(out: torch.Tensor, ref: torch.Tensor) -> tuple[float, float, int]:
    """Return worst rms, worst peak, and the elements that are not finite where they should be.

    Nearly always everything is finite and nothing is divided by 0; what is not needs a second look.
    """
    error = (out - ref).abs_()
    norm = torch.linalg.vector_norm(ref, dim=1, keepdim=True)
    scale = norm / max(ref.shape[1], 1) ** 0.5
    rms = torch.linalg.vector_norm(error, dim=1, keepdim=True) / norm
    peak = error.div_(ref.abs().add_(scale))
    # One transfer for all three: each would wait for the device.
    worst = torch.stack([rms.max(), peak.max(), norm.max()]).tolist()
    if all(map(math.isfinite, worst)):
        return worst[0], worst[1], 0
    return _compare_carefully(out, ref)


def _compare_carefully(out: torch.Tensor, ref: torch.Tensor) -> tuple[float, float, int]:
    """Return the same for values that are not all finite, or a reference that is 0.

    Where the reference itself is not finite, the output must agree with it; such elements count as
    no error when they do and as not finite when they do not.
    """
    finite = torch.isfinite(ref)
    agrees = (out == ref) | (torch.isnan(out) & torch.isnan(ref))
    bad = (~torch.isfinite(out) & finite) | (~finite & ~agrees)
    ref = torch.where(finite, ref, 0.0)
    error = torch.where(bad | ~finite, 0.0, out - ref).abs_()
    norm = torch.linalg.vector_norm(ref, dim=1, keepdim=True)
    scale = norm / max(ref.shape[1], 1) ** 0.5
    rms = _ratio(torch.linalg.vector_norm(error, dim=1, keepdim=True), norm)
    peak = _ratio(error, ref.abs_().add_(scale))
    # One transfer for all three: each would wait for the device.
    worst = torch.stack([rms.max(), peak.max(), bad.sum().double()]).tolist()
    return worst[0], worst[1], int(worst[2])


def _ratio(error: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return error / scale; no error is 0 whatever the scale, an error over 0 is enormous.

    So is an error over a scale that overflowed: what cannot be compared is not right.
    """
    ratio = (error / scale.clamp_min(1e-300)).nan_to_num(nan=_ENORMOUS).clamp_max(_ENORMOUS)
    ratio = torch.where(torch.isfinite(scale), ratio, _ENORMOUS)
    return torch.where(error == 0, 0.0, ratio)
