"""The life of a child process: answer requests until the channel closes.

In: a socket's descriptor and a function from request to reply. Out: nothing; every failure becomes
a `Failed` reply with its traceback, so the orchestrator hears of it in the same words as of
success.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from roofmark.bench.channel import ChannelClosed, receive_request, send
from roofmark.bench.messages import Failed, FailureKind, Reply, Request

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
# Chosen: room for a long compiler message, too little to flood the bundle.
_LOG_CHARACTERS = 8000


def serve(answer: Callable[[Request], Reply]) -> None:
    """Answer requests on the descriptor named by the last argument until it closes."""
    link = socket.socket(fileno=int(sys.argv[-1]))
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            request = receive_request(link)
            send(link, _answer(answer, request))
        except ChannelClosed:
            # Interpreter shutdown would run what a candidate left in atexit; there is no need.
            os._exit(0)


def _answer(answer: Callable[[Request], Reply], request: Request) -> Reply:
    try:
        return answer(request)
    except Exception as error:
        kind: FailureKind = getattr(error, "failure_kind", "raised")
        log = getattr(error, "log", "") or traceback.format_exc()
        return Failed(kind=kind, reason=_line(error), log=log[-_LOG_CHARACTERS:])


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip()[:1000]


def _die_with_parent() -> None:
    """Be killed when the orchestrator dies, however it dies."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
