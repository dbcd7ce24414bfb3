"""The benchmark of the read side in small: what it reads with few calls, it reads fast on a table of any size."""

from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from kuaixintong.core.rows import LISTING_SHARDS
from kuaixintong.status import Lookup
from tests.bench import reading as bench

COUNT, SAMPLE = 240, 40


@pytest.fixture
def calls(aws: None) -> Iterator[Counter[str]]:
    """What each look-up of the benchmark's asks of DynamoDB."""
    made: Counter[str] = Counter()
    look = bench._look

    def looking() -> Lookup:
        lookup = look()
        events = lookup._asked_listings()._client.meta.events
        events.register("before-call.dynamodb.*", lambda model, **_: made.update([model.name]))
        return lookup

    with patch.object(bench, "_look", looking):
        yield made


def test_a_campaign_is_counted_with_a_query_a_shard(
    calls: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.dict("os.environ", bench.write(COUNT, bench.CAMPAIGN)):
        bench.counts()
    assert capsys.readouterr().out.startswith(f"{COUNT} counted in ")
    assert calls == {"Query": LISTING_SHARDS}


def test_statuses_are_streamed_with_a_query_a_token_and_little_more(
    calls: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.dict("os.environ", bench.write(COUNT, bench.CAMPAIGN)) as environment:
        bench._report(environment, SAMPLE)
        bench.statuses(SAMPLE)
    assert "ratio" in capsys.readouterr().out
    rounds, ahead = 3, 130
    assert calls["BatchGetItem"] <= rounds * ((SAMPLE + ahead) // 25 + 1)
    assert rounds * SAMPLE <= calls["Query"] <= rounds * (SAMPLE + ahead + LISTING_SHARDS)
    assert {*calls} == {"Query", "BatchGetItem"}


def test_a_page_of_a_day_takes_a_query_a_shard_and_a_call_for_twenty_five_rows(
    calls: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.dict("os.environ", bench.write(COUNT)):
        bench.day()
    assert "the first page in " in capsys.readouterr().out
    pages = 3 + 1  # three rounds of the first, and the second
    assert calls == {"Query": pages * LISTING_SHARDS, "BatchGetItem": pages * 2}
