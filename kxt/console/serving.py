"""The console as a server of its own, on loopback."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from kxt.console import site
from kxt.console.desk import Desk
from kxt.console.safety import Links, Safety

HOST = "127.0.0.1"

_RECONNECT = 20.0
"""Seconds that a page that has lost its line may take to come back to where it was."""


class PortTaken(Exception):
    """Somebody listens there already."""


def serve(desk: Desk, *, port: int, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. ``tell`` is told each one-time link; port 0 is any free one.

    Raises :class:`PortTaken`.
    """
    listener = _listener(port)
    port = listener.getsockname()[1]
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    site.build(desk)
    ui.run_with(
        api,
        title="kxt",
        favicon="✉️",
        language="en-US",
        tailwind=False,
        reconnect_timeout=_RECONNECT,
        message_history_length=200,
        show_welcome_message=False,
    )
    door = Safety(api, port=port, links=Links(f"http://{HOST}:{port}", tell))
    config = uvicorn.Config(
        door, access_log=False, log_level="warning", server_header=False, timeout_graceful_shutdown=1
    )
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        desk.close()


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # the link is told before the server runs; whoever is quick waits
    except OSError as error:
        listener.close()
        raise PortTaken(f"{HOST}:{port}: {error.strerror}.") from None
    return listener
