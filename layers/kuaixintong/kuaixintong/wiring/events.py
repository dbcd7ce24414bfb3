"""The events' function: from its settings to an :class:`~kuaixintong.announcing.Announcer`."""

from kuaixintong.announcing import Announcer
from kuaixintong.core.announcements import SOURCE
from kuaixintong.settings import EventsSettings
from kuaixintong.stores import aws
from kuaixintong.stores.bus import Bus
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring import now


def announcer(settings: EventsSettings) -> Announcer:
    """Build what tells rows as events."""
    table = DynamoTable(aws.dynamodb(connections=1), settings.sends_table)
    bus = Bus(
        aws.events(), settings.event_bus, aws.sqs(connections=1), settings.dead_letter_queue_url, source=SOURCE
    )
    return Announcer(Parts(table), bus, now)
