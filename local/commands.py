"""The commands of the local stack: none looks at the user's proxies and profiles, each fails in a sentence."""

import errno
import signal
import sys
from importlib import import_module

from local import environment
from local.processes import Failed, stopping_cleanly

_COMMANDS = {
    "demo": ("local.demo", "main"),
    "up": ("local.up", "main"),
    "down": ("local.down", "main"),
    "vacate": ("local.down", "vacate"),
    "env": ("local.env", "main"),
    "console": ("local.console", "main"),
}
_NOT_OURS_TO_WRITE = (errno.EROFS, errno.EACCES, errno.EPERM)


def run(name: str) -> int:
    """Run a command; return the exit status."""
    environment.forget_the_users()
    module, function = _COMMANDS[name]
    try:
        with stopping_cleanly():
            command = getattr(import_module(module), function)
            command()
    except Failed as failed:
        print(failed.explained, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"{error}. `make` installs what is missing, also after the folder has moved.", file=sys.stderr)
        return 1
    except OSError as error:
        print(_told(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _told(error: OSError) -> str:
    told = f"{error.filename}: {error.strerror}." if error.filename else str(error)
    if error.errno in _NOT_OURS_TO_WRITE:
        told += " The local stack writes into its folder."
    return told
