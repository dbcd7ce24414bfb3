"""The console: a page on loopback to look at a stack, to mend what needs mending, and handsets to play with."""

import sys
from typing import Any


def run(
    stack: Any = None, *, name: str = "", port: int = 0, read_only: bool = False, local: str | None = None
) -> int:
    """Serve the pages until Ctrl-C; return the exit status.

    ``stack`` is a :class:`kuaixintong.stack.Stack`, called ``name`` on the page; ``None`` with ``local`` shows a
    simulator alone. ``local`` is the address of a simulator's control, ``…/_sim``. The address to open is printed
    on stdout, a new one for the next browser as soon as it has been used.
    """
    from kxt.console.desk import Desk  # noqa: PLC0415  # what is here is imported where no NiceGUI is
    from kxt.console.serving import PortTaken, serve  # noqa: PLC0415
    from kxt.console.simulation import Simulation  # noqa: PLC0415

    desk = Desk(stack, name=name, simulation=Simulation(local) if local else None, read_only=read_only)
    try:
        serve(desk, port=port, tell=_print)
    except PortTaken as taken:
        print(taken, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _print(link: str) -> None:
    print(link, flush=True)  # noqa: T201  # data: what is to be opened
