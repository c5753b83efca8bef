"""Is an output right? Errors scaled by the reference's own magnitude, in float64.

In: outputs [slots, *shape] as a solution left them, the reference, a tolerance. Out: the worst
slot's error. A fixed absolute bound would let an all-zero decode attention over a long context
pass, because its true output is small; everything here is relative to rms(ref).

    rms  = ||out - ref|| / ||ref||                 per slot
    peak = max |out - ref| / (|ref| + rms(ref))    per slot
"""

import torch

from roofmark.bench.messages import OutputError
from roofmark.study import Exact, Tolerance


def compare_outputs(
    name: str, out: torch.Tensor, ref: torch.Tensor, tolerance: Tolerance | Exact
) -> OutputError:
    """Return the worst error over the slots; out and ref are [n, *shape]."""
    if isinstance(tolerance, Exact):
        # Converted before comparing: the output's dtype is part of the definition.
        ref = ref.to(out.dtype)
    rms, peak, nonfinite = _compare_scaled(out.flatten(1).double(), ref.flatten(1).double())
    if isinstance(tolerance, Exact):
        passed = torch.equal(out, ref)
    else:
        passed = nonfinite == 0 and rms <= tolerance.rms and peak <= tolerance.peak
    return OutputError(output=name, rms=rms, peak=peak, nonfinite=nonfinite, passed=passed)


def _compare_scaled(out: torch.Tensor, ref: torch.Tensor) -> tuple[float, float, int]:
    """Return worst rms, worst peak, and the elements that are not finite where they should be.

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
    ratio = (error / scale.clamp_min(1e-300)).nan_to_num(nan=1e300).clamp_max(1e300)
    ratio = torch.where(torch.isfinite(scale), ratio, 1e300)
    return torch.where(error == 0, 0.0, ratio)
