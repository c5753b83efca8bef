"""Peers of the decode step are called as their interfaces say; stand-ins compute the step."""

import sys
from types import ModuleType

import pytest
import torch
from test_gdn_decode import DEFINITION, FOLDER, blank_outputs, case

from roofmark.bench.check import compare_outputs
from roofmark.bench.importing import import_file

SCALE = DEFINITION.scalars["scale"]


def _step(q, k, v, state, g, beta, scale):
    """One step in float64; state: [B, HV, V, K]. Returns output and the new state."""
    q, k = (each[:, 0].double().repeat_interleave(2, dim=1) for each in (q, k))
    kept = g[:, 0].double().exp()[..., None, None] * state.double()
    recalled = (kept * k[:, :, None, :]).sum(-1)
    delta = beta[:, 0].double()[..., None] * (v[:, 0].double() - recalled)
    new = kept + delta[..., None] * k[:, :, None, :]
    output = scale * (new * q[:, :, None, :]).sum(-1)
    return output[:, None].to(v.dtype), new.float()


def _flashinfer(q, k, v, state, A_log, a, dt_bias, b, scale=None, output=None, use_qk_l2norm=True):
    assert not use_qk_l2norm and output is not None
    g = -A_log.double().exp() * torch.nn.functional.softplus(a.double() + dt_bias.double())
    made, new = _step(q, k, v, state, g, b.double().sigmoid(), scale)
    output.copy_(made)
    state.copy_(new)
    return output, state


def _fla(q, k, v, *, g, beta, scale, initial_state, A_log, dt_bias, output_final_state, **asked):
    gates = ("use_gate_in_kernel", "use_beta_sigmoid_in_kernel", "state_v_first")
    assert output_final_state and asked == dict.fromkeys(gates, True)
    g = -A_log.double().exp() * torch.nn.functional.softplus(g.double() + dt_bias.double())
    return _step(q, k, v, initial_state, g, beta.double().sigmoid(), scale)


@pytest.mark.parametrize(
    ("package", "module", "function"),
    [
        ("flashinfer", "flashinfer.gdn_decode", _flashinfer),
        ("fla", "fla.ops.gated_delta_rule", _fla),
    ],
)
def test_a_peer_is_right_and_leaves_the_old_state(
    monkeypatch: pytest.MonkeyPatch, package: str, module: str, function
):
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    called = {"flashinfer": "gated_delta_rule_decode_pretranspose"}
    name = called.get(package, "fused_recurrent_gated_delta_rule")
    setattr(sys.modules[module], name, function)
    entry = import_file(FOLDER, f"peer_{package}.py").gdn_decode
    inputs, expected = case("B3")
    before = inputs["state"].clone()
    outputs = blank_outputs("B3")
    takes = outputs if package == "flashinfer" else {}
    result = entry(**inputs, scale=SCALE, **takes)
    found = list(outputs.values()) if takes else result
    for name, out, ref in zip(DEFINITION.outputs, found, expected, strict=True):
        tolerance = DEFINITION.outputs[name].tolerance
        assert compare_outputs(name, out[None], ref[None], tolerance).passed, name
    assert torch.equal(inputs["state"], before)
