"""The life of a child process: answer requests until the channel closes.

In: a module that has `start() -> Answer` and a socket's descriptor, on the command line
(`python -m roofmark.bench.serve MODULE DESCRIPTOR`). Out: `Ready` when the module is imported, then
replies; every failure becomes a `Failed` reply with its traceback, so the orchestrator hears of it
in the same words as of success. A keeper, which ties it to the orchestrator, is in place before the
module, and with it torch, is imported; so is the cage, if the environment names one.
"""

import importlib
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable

import msgspec

from roofmark.bench.cage import CAGE, Cage, confine
from roofmark.bench.channel import ChannelClosed, receive_request, send
from roofmark.bench.keeper import keep
from roofmark.bench.messages import Failed, FailureKind, Ready, Reply, Request

Answer = Callable[[Request], Reply]

# Chosen: room for a long compiler message, too little to flood the bundle.
_LOG_CHARACTERS = 8000
_REASON_CHARACTERS = 1000


def main() -> None:
    """Serve the module that the command line names."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, descriptor = sys.argv[1], int(sys.argv[2])

    def work() -> None:
        cage = os.environ.pop(CAGE, "")
        if cage:
            confine(msgspec.json.decode(cage, type=Cage))
        serve(socket.socket(fileno=descriptor), importlib.import_module(module).start())

    keep(work, close=(descriptor,))


def serve(link: socket.socket, answer: Answer) -> None:
    """Answer requests until the channel closes."""
    try:
        send(link, Ready(pid=os.getpid()))
        while True:
            request, token = receive_request(link)
            send(link, _answer(answer, request), token=token)
    except ChannelClosed:
        # Interpreter shutdown would run what a candidate left in atexit; there is no need.
        os._exit(0)


def _answer(answer: Answer, request: Request) -> Reply:
    try:
        return answer(request)
    # SystemExit too: leaving by it takes seconds and tells less than this reply does.
    except BaseException as error:
        kind: FailureKind = getattr(error, "failure_kind", "raised")
        log = getattr(error, "log", "") or traceback.format_exc()
        return Failed(kind=kind, reason=_line(error), log=_clean(log[-_LOG_CHARACTERS:]))


def _line(error: BaseException) -> str:
    # A sentence that names its own code needs no class name in front of it.
    own = getattr(error, "failure_kind", "raised") != "raised"
    text = str(error) if own else f"{type(error).__name__}: {error}"
    return _clean(text.strip()[:_REASON_CHARACTERS])


def _clean(text: str) -> str:
    """Lone surrogates, which an undecodable file name leaves in a message, fit into no message."""
    return text.encode(errors="replace").decode()


if __name__ == "__main__":
    main()
