"""``python -m kxt.console``: the console by itself, for a stack, a simulator, or both."""

import argparse
import sys
from collections.abc import Sequence

from kxt.console import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kxt.console", description=__doc__)
    parser.add_argument("--stack", help="the stack's name; without it, a simulator alone")
    parser.add_argument("--simulator", metavar="URL", help="a simulator's control, http://127.0.0.1:…/_sim")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--read-only", action="store_true", help="change nothing, whatever is pressed")
    options = parser.parse_args(arguments)
    if not (options.stack or options.simulator):
        parser.error("--stack or --simulator, or both")
    stack = None
    if options.stack:
        from kuaixintong.stack import Stack  # noqa: PLC0415  # a simulator alone needs no AWS

        stack = Stack.of(options.stack)
    return run(
        stack, name=options.stack or "", port=options.port, read_only=options.read_only, local=options.simulator
    )


if __name__ == "__main__":
    sys.exit(main())
