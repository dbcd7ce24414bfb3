"""Limits of DynamoDB, SQS and the platform, as their documents have them, and how long reports are waited for."""

from datetime import timedelta

from kuaixintong.core import limits


def test_the_limits_are_those_that_are_documented() -> None:
    assert {name: value for name, value in vars(limits).items() if name.isupper()} == {
        "SORT_KEY_BYTES": 1_024,
        "ITEM_BYTES": 409_600,
        "BATCH_ITEMS": 25,
        "MESSAGE_BYTES": 1_048_576,
        "CALL_MESSAGES": 10,
        "MAX_MOBILES": 10_000,
        "MAX_CONTENT_UNITS": 1_000,
        "REPORTS_WITHIN": timedelta(hours=72),
    }
