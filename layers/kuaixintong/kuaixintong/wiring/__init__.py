"""How the parts of a function hang together: settings in, one ready object out.

One module per function, each importing what that function needs and no more: ``sender``, ``receiver``,
``balance``, and ``reading`` for whoever asks the tables.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time; the only clock of the functions."""
    return datetime.now(UTC)
