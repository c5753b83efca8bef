"""RM511: the device's state was changed."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.signs import tell


@rule(
    "RM511",
    "the device's state was changed",
    per="cell",
    moves="invalid",
    fires={"signs": {"device": ("it says what was seen",)}},
    silent={"signs": {"other": ("something else",)}},
)
def device_changed(signs: dict[str, tuple[str, ...]]) -> str:
    """The solution left a setting of the device behind that serves it alone.

    Such as a part of the L2 cache that is set aside for data that persists.

    Why it matters: a cold cache is no longer cold, and the others run on another device than it
    does.
    What to do: measure with the device as its users have it.
    It cannot be accepted.
    """
    return tell(signs, "device")
