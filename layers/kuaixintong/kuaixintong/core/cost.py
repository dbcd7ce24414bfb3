"""What a send costs, in messages: the platform's fee and the operators' own unit (contract, Words)."""

from collections.abc import Sized

from kuaixintong.core.characters import utf16_units

_ALONE = 70
_IN_A_CHAIN = 67
"""UTF-16 units of a segment; a longer text spends three of each on how the segments hang together."""


def segments(content: str) -> int:
    """Return how many messages a text takes on its way to one handset."""
    units = utf16_units(content)
    return 1 if units <= _ALONE else -(-units // _IN_A_CHAIN)


def cost(mobiles: Sized, content: str) -> int:
    """Return the cost of ``content`` to so many mobiles, in messages."""
    return len(mobiles) * segments(content)
