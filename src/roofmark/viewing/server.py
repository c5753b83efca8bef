"""The server: one address on the loopback interface, until Ctrl-C.

In: a folder, a port. Out: pages served. Raises: BenchError RM480 when it cannot listen.
"""

import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.viewing.app import make_app
from roofmark.viewing.guard import HOST
from roofmark.viewing.shelf import Shelf

# Chosen: outside the ports that systems hand out by themselves; with the next ones as a reserve.
PORT = 8765
_TRIES = 20


def serve(
    folder: Path, *, port: int | None, open_browser: bool, told: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C. told: called once with the address, when it can be asked.

    port: 0 takes any that is free; None the first free one from `PORT` on.
    Raises: BenchError RM480 when the port is taken.
    """
    listener = listen(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}/"
    shelf = Shelf(folder)
    config = uvicorn.Config(
        make_app(shelf),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    shelf.start()
    told(address)
    if open_browser and has_browser():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        # It is how one ends a server; everything was only looked at.
        pass
    finally:
        listener.close()
        shelf.stop()


def listen(port: int | None) -> socket.socket:
    """Return a socket that listens on the loopback address. Raises: BenchError RM480."""
    ports = range(PORT, PORT + _TRIES) if port is None else (port,)
    for each in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, each))
            listener.listen(128)
        except OSError as error:
            listener.close()
            why = error.strerror or str(error)
            if port is None and each != ports[-1]:
                continue
            fact = f"port {each} cannot be listened on: {why}"
            mend = "Name another with --port, or leave --port out: the next free one is taken."
            raise BenchError(problem("RM480", fact, HOST, mend)) from error
        return listener
    raise AssertionError("there is always a port to try")


def has_browser() -> bool:
    """Return whether a browser can show something; one for terminals would take over this one."""
    if sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
