"""A redrive: from the queues' addresses to :class:`~kuaixintong.stores.queue.DeadLetters`."""

from kuaixintong.core.lanes import Lane
from kuaixintong.settings import RedriveSettings
from kuaixintong.stores import aws
from kuaixintong.stores.queue import DeadLetters


def dead_letters(settings: RedriveSettings) -> DeadLetters:
    """Build the way back, with the credentials and region of the environment."""
    lanes = {Lane.ORDINARY: settings.send_queue_url, Lane.URGENT: settings.urgent_queue_url}
    return DeadLetters(aws.sqs(connections=1), settings.dead_letter_queue_url, lanes)
