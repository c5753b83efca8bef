"""What wrong outputs look like, and whose memory was written."""

import pytest
import torch

from roofmark.bench.diagnose import Seen, diagnose
from roofmark.bench.warm_slots import WarmSlots

SHAPE = (3, 40, 33)


def _kinds(out: torch.Tensor, ref: torch.Tensor, seen: Seen | None = None) -> list[str]:
    x = torch.full(SHAPE, 7.0) + torch.arange(33)
    return [sign.kind for sign in diagnose("y", out, ref, {"x": x}, seen or Seen())]


def _reference(seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _poisoned() -> torch.Tensor:
    return torch.full((*SHAPE, 4), 0xFF, dtype=torch.uint8).view(torch.float32).view(SHAPE)


@pytest.mark.parametrize(
    ("out", "kinds"),
    [
        (_reference().float(), []),
        (_poisoned(), ["unwritten"]),
        (torch.cat([_reference().float()[:, :20], _poisoned()[:, 20:]], dim=1), ["late"]),
        (torch.zeros(SHAPE), ["constant"]),
        (torch.full(SHAPE, 7.0) + torch.arange(33), ["copied"]),
        (_reference().bfloat16().float(), ["rounded"]),
        (_reference().half().float(), ["rounded"]),
        (_reference(5).float(), []),
        (_reference().float() * 1.05, []),
    ],
)
def test_what_an_output_looks_like(out: torch.Tensor, kinds: list[str]) -> None:
    assert _kinds(out, _reference()) == kinds


def test_an_output_of_another_call_is_known_again() -> None:
    seen = Seen()
    seen.remember({"y": _reference(1).float()})
    # In another slot than before.
    assert _kinds(_reference(1).float().flip(0), _reference(2), seen) == ["replayed"]
    assert _kinds(_reference(3).float(), _reference(2), seen) == []


def test_integers_have_no_poison_that_could_be_told() -> None:
    ref = torch.arange(6).view(1, 6)
    assert [s.kind for s in diagnose("y", ref + 1, ref, {}, Seen())] == []


def test_memory_of_others_is_put_back_and_told() -> None:
    data = torch.arange(40, dtype=torch.uint8)
    slots = WarmSlots(data, 10, 3)
    data[5] = 99  # its own
    assert slots.check(0, (3,)) == ""
    data[12], data[25], data[35] = 99, 99, 99  # two of others; the last is behind the warm-up slots
    assert slots.check(0, (3,)) == "the memory of 2 other workers"
    assert (data[12], data[25], data[35], data[5]) == (12, 25, 99, 99)
    assert slots.check(1, (3,)) == ""


def test_what_is_found_changed_while_all_stand_still_is_nobodys() -> None:
    data = torch.zeros(30, dtype=torch.uint8)
    slots = WarmSlots(data, 10, 3)
    data[3] = 1
    assert slots.check(-1, (1,)) == ""
    slots.restore()
    assert not data.any()
    data[13] = 1
    slots.check(-1, (1,))  # looked at by the referee, which left it so
    slots.restore()
    assert data[13] == 1
