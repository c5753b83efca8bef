"""One frame, one message: length, token and msgpack over a socket, with a deadline.

In: records. Out: records of the declared union, or `ChannelClosed` / `TimeoutError`. The channel is
not stdout, so nothing that a candidate prints can be taken for a result. A reply has to repeat the
token of its request, which nobody knows before: a frame that was not asked for is no reply. The
token keeps frames apart; it is no secret from code that runs inside the worker, and what such code
could forge is held against a clock outside of it (witness.py).
"""

import select
import socket
import struct
import time
from typing import Any

import msgspec
from msgspec.structs import replace

from roofmark.bench.messages import Reply, Request

_LENGTH = struct.Struct("<I")
# Chosen: the largest honest message is a compiler's log; far more means a broken or hostile peer.
_MAX_FRAME = 16 * 1024 * 1024
# Chosen: 128 bits cannot be guessed.
TOKEN_BYTES = 16
NO_TOKEN = bytes(TOKEN_BYTES)
"""The token of what is said unasked: that a child is ready."""


class ChannelClosed(Exception):
    """The other side is gone, or spoke something that is not a message."""


def send(
    link: socket.socket,
    message: Request | Reply,
    *,
    token: bytes = NO_TOKEN,
    descriptor: int = -1,
) -> None:
    """Send one message, and hand over a descriptor with it. Raises: ChannelClosed."""
    data = token + msgspec.msgpack.encode(message)
    head = _LENGTH.pack(len(data))
    try:
        link.settimeout(None)
        if descriptor >= 0:
            socket.send_fds(link, [head], [descriptor])
            head = b""
        link.sendall(head + data)
    except OSError as error:
        raise ChannelClosed(str(error)) from error


def receive_request(link: socket.socket) -> tuple[Request, bytes]:
    """Wait for the next request, for ever; return it with its token. Raises: ChannelClosed."""
    link.settimeout(None)
    try:
        head, descriptors, _, _ = socket.recv_fds(link, _LENGTH.size, 1)
    except OSError as error:
        raise ChannelClosed(str(error)) from error
    if not head:
        raise ChannelClosed("closed its channel")
    token, data = _body(link, head + _exactly(link, _LENGTH.size - len(head), None), None)
    request = _decode(data, Request)
    return (replace(request, descriptor=descriptors[0]) if descriptors else request), token


def receive_reply(link: socket.socket, *, deadline: float, token: bytes = NO_TOKEN) -> Reply:
    """Wait for the reply to a request's token.

    Raises: TimeoutError at `deadline` (monotonic clock), ChannelClosed.
    """
    found, data = _body(link, _exactly(link, _LENGTH.size, deadline), deadline)
    if found != token:
        raise ChannelClosed("sent something that is not a message: nobody asked for it")
    return _decode(data, Reply)


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


def _body(link: socket.socket, head: bytes, deadline: float | None) -> tuple[bytes, bytes]:
    (length,) = _LENGTH.unpack(head)
    if not TOKEN_BYTES <= length <= _MAX_FRAME:
        raise ChannelClosed(f"sent something that is not a message: a frame of {length} bytes")
    data = _exactly(link, length, deadline)
    return data[:TOKEN_BYTES], data[TOKEN_BYTES:]


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
