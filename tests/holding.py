"""Sends that wait as rows, made by the sender's own code an hour before they are due."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kuaixintong.claims import Claims
from kuaixintong.core import due, sends
from kuaixintong.core.beijing import BEIJING
from kuaixintong.core.lanes import Lane
from kuaixintong.core.ledger import Bid, WaitUntil
from kuaixintong.core.references import Reference
from kuaixintong.core.rows import Rows
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import Table

_EARLIER = timedelta(hours=1)


def in_whole_seconds(moment: datetime) -> datetime:
    """Return a moment that ``atTime`` can name."""
    return moment.astimezone(UTC).replace(microsecond=0)


def hold(table: Table, send: Mapping[str, Any], at: datetime, lane: Lane = Lane.ORDINARY) -> Reference:
    """Let a send of one part wait in a table until ``at``, as a worker of ``lane`` does; return its row's name."""
    at_time = in_whole_seconds(at).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    held = sends.parse(json.dumps({**send, "atTime": at_time, "hold": True}), uuid.uuid4().hex)
    then = at - _EARLIER
    claims = Claims(Parts(table), Rows(timedelta(days=180), timedelta(seconds=90)))
    bid = Bid(uuid.uuid4().hex, wait=due.held(held, now=then), lane=lane)
    step = claims.claim(held, held.parts[0], bid, now=then)
    assert isinstance(step, WaitUntil), step
    return Reference(held.send_id, "1", held.fingerprint)
