"""``kxt`` and ``python -m kxt``. Importing takes a moment; a Ctrl-C in it ends the process with a word."""

import os
import signal
import sys
from types import FrameType

_NO_CLI = "kxt needs the extra `cli`: pip install 'kuaixintong[cli]', or, in the repository, pip install '.[cli]'."


def _leave_at_once(number: int, _frame: FrameType | None) -> None:
    os.write(2, b"\nStopped.\n")  # nothing has been begun yet
    os._exit(128 + number)


def main() -> None:
    """Run the command line and end the process."""
    usual = signal.signal(signal.SIGINT, _leave_at_once)
    try:
        import typer  # noqa: F401, PLC0415  # the extra may be missing
    except ModuleNotFoundError:
        print(_NO_CLI, file=sys.stderr)  # noqa: T201
        sys.exit(1)
    from kxt.commands import everything  # noqa: PLC0415

    app = everything()
    signal.signal(signal.SIGINT, usual)
    app(prog_name="kxt")


if __name__ == "__main__":
    main()
