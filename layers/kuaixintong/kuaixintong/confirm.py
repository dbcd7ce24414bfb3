"""A person settles what only the platform's staff could know: whether a part was accepted, and under which token.

::

    from kuaixintong.confirm import confirmer

    confirmer().accepted("order-4711", "1", "377")                  # the staff named a token
    confirmer().not_accepted("order-4712", "1", by="王芳, 快信通")   # the staff knows nothing of its timestamp

The table is the one that ``SENDS_TABLE`` and ``RETENTION_DAYS`` of the environment name. The credentials have to
permit ``dynamodb:GetItem`` and ``dynamodb:UpdateItem`` on it, and ``dynamodb:Query`` on its index ``by-token``.
Nothing is ever sent from here.
"""

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache

from kuaixintong.core import confirmation
from kuaixintong.core.change import Change
from kuaixintong.core.confirmation import Ruling, Unfit, Written
from kuaixintong.core.errors import ClaimLost, NotConfirmed
from kuaixintong.core.rows import Rows
from kuaixintong.settings import ConfirmSettings
from kuaixintong.stores.dynamo import Item
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import Moved

_TRIES = 3


class Confirmer:
    """Writes a person's word down, if it fits. Safe between threads."""

    def __init__(self, parts: Parts, rows: Rows, clock: Callable[[], datetime]) -> None:
        self._parts = parts
        self._rows = rows
        self._clock = clock

    def accepted(self, send_id: str, part: str, token: str) -> None:
        """Note that the platform accepted a part under ``token``: its reports are found by it from now on.

        The part is ``UNCONFIRMED``, or accepted without a token. Raises :class:`NotConfirmed` with a sentence if
        it is not, or another part has that token, and :class:`StoreUnavailable`.
        """
        self._write(
            send_id,
            part,
            lambda row: confirmation.accepted(row, token, owner=self._parts.of_token(token)),
            lambda row: self._rows.confirmed(row, token, now=self._clock()),
        )

    def not_accepted(self, send_id: str, part: str, by: str) -> None:
        """Note that the platform did not accept a part, ``by`` whose word: it is ``REJECTED`` from now on.

        It is not sent again: whoever wants that enqueues its mobiles under a new id. Raises :class:`NotConfirmed`
        with a sentence if the part is not ``UNCONFIRMED``, and :class:`StoreUnavailable`.
        """
        self._write(
            send_id,
            part,
            lambda row: confirmation.not_accepted(row, by),
            lambda row: self._rows.denied(row, by.strip(), now=self._clock()),
        )

    def _write(
        self, send_id: str, part: str, rule: Callable[[Item | None], Ruling], change: Callable[[Item], Change]
    ) -> None:
        """Decide on the row as it stands and write on the condition that it does; if it has moved, decide anew."""
        for _ in range(_TRIES):
            row = self._parts.row(send_id, part)
            ruling = rule(row)
            if isinstance(ruling, Unfit):
                raise NotConfirmed(ruling.why)
            if row is None or not isinstance(ruling, Written):
                return
            try:
                self._parts.conclude(row, change(row))
            except Moved:  # somebody else was quicker, or it is our own write, which the row then tells
                continue
            return
        raise ClaimLost("The row keeps moving.")


@cache
def confirmer() -> Confirmer:
    """Return a confirmer for the table that the environment names."""
    from kuaixintong.wiring.confirming import confirmer_of  # noqa: PLC0415  # it builds what this module describes

    return confirmer_of(ConfirmSettings.read(os.environ))
