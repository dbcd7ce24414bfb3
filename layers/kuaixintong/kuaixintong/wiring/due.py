"""What is due: from the function's settings to a :class:`~kuaixintong.calling_in.CallingIn`."""

import time

from kuaixintong.calling_in import THREADS, CallingIn
from kuaixintong.core.due import SHARDS
from kuaixintong.core.lanes import Lane
from kuaixintong.settings import DueSettings
from kuaixintong.stores import aws
from kuaixintong.stores.lanes import Lanes
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now


def calling_in(settings: DueSettings) -> CallingIn:
    """Build it."""
    dynamodb = aws.dynamodb(connections=THREADS + SHARDS)
    lanes = {Lane.ORDINARY: settings.send_queue_url, Lane.URGENT: settings.urgent_queue_url}
    return CallingIn(
        Parts(DynamoTable(dynamodb, settings.sends_table)),
        Lanes(aws.sqs(connections=THREADS), lanes),
        clock=now,
        monotonic=time.monotonic,
    )
