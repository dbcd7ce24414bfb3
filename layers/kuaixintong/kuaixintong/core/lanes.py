"""The two lanes that sends travel in."""

from enum import StrEnum


class Lane(StrEnum):
    """A queue with its own senders."""

    URGENT = "urgent"
    ORDINARY = "ordinary"
