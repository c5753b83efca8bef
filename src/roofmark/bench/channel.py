"""One frame, one message: length-prefixed msgpack over a socket, with a deadline.

In: records. Out: records of the declared union, or `ChannelClosed` / `TimeoutError`. The channel is
not stdout, so nothing that a candidate prints can be taken for a result.
"""

import select
import socket
import struct
import time
from typing import Any

import msgspec

from roofmark.bench.messages import Reply, Request

_LENGTH = struct.Struct("<I")
# Chosen: the largest honest message is a compiler's log; far more means a broken or hostile peer.
_MAX_FRAME = 16 * 1024 * 1024


class ChannelClosed(Exception):
    """The other side is gone, or spoke something that is not a message."""


def send(link: socket.socket, message: Request | Reply) -> None:
    """Send one message. Raises: ChannelClosed."""
    data = msgspec.msgpack.encode(message)
    try:
        link.settimeout(None)
        link.sendall(_LENGTH.pack(len(data)) + data)
    except OSError as error:
        raise ChannelClosed(str(error)) from error


def receive_request(link: socket.socket) -> Request:
    """Wait for the next request, for ever. Raises: ChannelClosed."""
    return _decode(_receive(link, None), Request)


def receive_reply(link: socket.socket, *, deadline: float) -> Reply:
    """Wait for a reply. Raises: TimeoutError at `deadline` (monotonic clock), ChannelClosed."""
    return _decode(_receive(link, deadline), Reply)


def has_unread(link: socket.socket) -> bool:
    """Return whether something waits to be read; the end of the stream counts."""
    # poll, not select: a host program may hold more descriptors than select can name.
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0))


def _decode(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise ChannelClosed(f"sent something that is not a message: {error}") from error


def _receive(link: socket.socket, deadline: float | None) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(link, _LENGTH.size, deadline))
    if length > _MAX_FRAME:
        raise ChannelClosed(f"sent something that is not a message: a frame of {length} bytes")
    return _exactly(link, length, deadline)


def _exactly(link: socket.socket, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            link.settimeout(None if deadline is None else max(deadline - time.monotonic(), 1e-3))
            part = link.recv(size - len(data))
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not part:
            raise ChannelClosed("closed its channel")
        data += part
    return bytes(data)
