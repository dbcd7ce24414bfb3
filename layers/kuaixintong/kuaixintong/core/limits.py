"""What DynamoDB, SQS and the platform take: the limits that keys, rows, calls and requests are cut to."""

from datetime import timedelta

SORT_KEY_BYTES = 1_024
"""UTF-8 bytes of a sort key, an index's included."""

ITEM_BYTES = 400 * 1_024
"""Bytes of an item: its attributes' names and values together."""

BATCH_ITEMS = 25
"""Items that one ``BatchWriteItem`` puts or deletes; no two of them may have the same key."""

MESSAGE_BYTES = 1_048_576
"""Bytes that SQS takes in one message, its attributes included, and in all messages of one call: 1 MiB."""

CALL_MESSAGES = 10
"""Messages in one ``SendMessageBatch``."""

MAX_MOBILES = 10_000
"""Mobiles in one ``sendSm`` request (spec 3.1)."""

MAX_CONTENT_UNITS = 1_000
"""Characters of content (spec 3.1), counted as the platform's Java does: in UTF-16 units."""

REPORTS_WITHIN = timedelta(hours=72)
"""How long after its acceptance, or its ``atTime``, a report of an SMS is waited for, unless told otherwise."""
