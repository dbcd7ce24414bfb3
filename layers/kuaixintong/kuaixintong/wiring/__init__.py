"""How the parts of a function or a tool hang together: settings in, one ready object out.

One module each, importing what that one needs and no more: ``sender``, ``receiver``, ``balance``, ``due``;
``reading`` for whoever asks the tables, and ``redriving`` for whoever puts back what was given up.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time; the only clock of the functions."""
    return datetime.now(UTC)
