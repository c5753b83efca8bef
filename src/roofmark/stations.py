"""Stations: the devices of a fleet, each with the host that it stands in.

In: nothing; this is what a run over several devices keeps of each of them. A station is one GPU, or
one set of cores, and never shared while it measures. Its id is made from the device's own identity,
so that the same device has the same id when an interrupted run goes on.
"""

from roofmark.evidence import Environment
from roofmark.records import Record, digest

# Chosen: as much of a digest as tells a thousand hosts, or the devices of one, apart.
_DIGITS = 8


class Station(Record, omit_defaults=True):
    """One device that took part in a run, or was refused.

    id: "HOST.DEVICE". cores: of the host, those that it was held to; empty where it was not.
    skipped: solution -> why it does not run here. refused: why it measured nothing.
    losses: how it was lost, each time.
    """

    id: str
    environment: Environment
    cores: tuple[int, ...] = ()
    skipped: dict[str, str] = {}
    refused: str = ""
    losses: tuple[str, ...] = ()


def station_id(host: str, device: str) -> str:
    """Return the id of a device; host, device: whatever tells each from all others."""
    return f"{digest(host.encode())[:_DIGITS]}.{digest(device.encode())[:_DIGITS]}"


def host_of(station: str) -> str:
    """Return the part of a station's id that all stations of one host share."""
    return station.partition(".")[0]
