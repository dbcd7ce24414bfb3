"""How the parts of a function or a tool hang together: settings in, one ready object out.

One module each, importing what that one needs and no more: ``sender``, ``receiver``, ``balance``, ``due`` and
``events`` for the functions; ``reading`` for whoever asks the tables, ``cancelling``, ``confirming``, ``optouts``
and ``redriving`` for whoever mends what stands in them and in the queues.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time; the only clock of the functions."""
    return datetime.now(UTC)
