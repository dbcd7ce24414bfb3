"""What DynamoDB takes: the limits that keys, rows and calls are cut to."""

PARTITION_KEY_BYTES = 2_048
"""UTF-8 bytes of a partition key, an index's included."""

SORT_KEY_BYTES = 1_024
"""UTF-8 bytes of a sort key, an index's included."""

ITEM_BYTES = 400 * 1_024
"""Bytes of an item: its attributes' names and values together."""

BATCH_ITEMS = 25
"""Items that one ``BatchWriteItem`` puts or deletes; no two of them may have the same key."""

TRANSACTION_ITEMS = 100
"""Items that one ``TransactWriteItems`` touches; no two of them may be the same."""
