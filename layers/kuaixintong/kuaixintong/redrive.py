"""Redrive: what was given up goes back to the lane that it came from, after a person has mended the cause.

::

    from kuaixintong.redrive import redrive

    print(redrive())                          # Redriven(urgent=0, ordinary=12, left=0)

The queues are those that ``SEND_QUEUE_URL``, ``URGENT_QUEUE_URL`` and ``DEAD_LETTER_QUEUE_URL`` of the environment
name. It works in every partition, also where SQS's own redrive is missing, and may be cut off and run again: a
send that comes back twice is one send.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kuaixintong.core import sends
from kuaixintong.core.bodies import stamped
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.lanes import Lane
from kuaixintong.settings import RedriveSettings
from kuaixintong.stores.queue import DeadLetter, DeadLetters
from kuaixintong.wiring.redriving import dead_letters

_WAIT = 2
"""Seconds of a look that finds nothing. A queue answers from some of its servers: one such look proves little."""

_EMPTY_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many messages went back to each lane, and how many the dead-letter queue still holds: in other hands."""

    urgent: int = 0
    ordinary: int = 0
    left: int = 0


def redrive(progress: Callable[[int], None] | None = None) -> Redriven:
    """Put everything back, with the queues that the environment names; see :func:`redrive_from`."""
    return redrive_from(dead_letters(RedriveSettings.read(os.environ)), progress=progress)


def redrive_from(
    letters: DeadLetters, *, progress: Callable[[int], None] | None = None, wait: int = _WAIT
) -> Redriven:
    """Put everything back into its lane until the dead-letter queue is really empty.

    ``progress`` is told how many have gone back so far. Raises
    :class:`~kuaixintong.core.errors.StoreUnavailable` when SQS does not answer; what has gone back stays back.
    """
    done: Counter[Lane] = Counter()
    empty = 0
    while empty < _EMPTY_LOOKS:
        found = letters.receive(wait=wait)
        empty = 0 if found else empty + 1
        for letter in found:
            letters.put_back(letter, _with_id(letter))
            done[letter.lane] += 1
        if found and progress:
            progress(done.total())
    return Redriven(done[Lane.URGENT], done[Lane.ORDINARY], letters.left())


def _with_id(letter: DeadLetter) -> str:
    """Return the body under the id that its send is known by: without one of its own, that is the message's.

    SQS keeps the message id when it moves a message here, and gives a new one to what is enqueued.
    """
    try:
        sends.parse(letter.body, letter.message_id)
    except SendRefused:  # in its lane, too, with words; an id in it could mend what it is refused for
        return letter.body
    return stamped(letter.body, letter.message_id)
