"""``make down``: stop what ``make up`` started, and what a killed demo or test run has left behind."""

import sys

from local.stack import clear_leftovers


def main() -> int:
    """Stop the stacks; return the exit status."""
    if not clear_leftovers(print, kept_too=True):
        print("Nothing is running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
