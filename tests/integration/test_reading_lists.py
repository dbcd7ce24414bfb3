"""Sends in lists: a day's and a campaign's, merged from all shards, newest first, in pages; campaigns of a day."""

from collections.abc import Callable
from typing import Any

import pytest

from kuaixintong.core.answers import CampaignLine, SendLine
from kuaixintong.core.errors import PageUnknown, SettingsMissing, StoreUnavailable
from kuaixintong.core.pages import Page
from kuaixintong.core.rows import LISTING_SHARDS
from kuaixintong.settings import TableNames
from kuaixintong.wiring.reading import reader
from tests.aws_faults import Faults, refusal
from tests.reading import DAY, FIRST, SECOND, THIRD, Tables, moment


def ids(page: Page[SendLine]) -> list[str]:
    return [line.send_id for line in page.items]


def all_of[T](ask: Callable[..., Page[T]], size: int) -> list[T]:
    page = ask(size=size)
    items = list(page.items)
    while page.next:
        assert len(page.items) == size
        page = ask(size=size, page=page.next)
        items += page.items
    return items


# --- a day ------------------------------------------------------------------------------------------------------


def test_a_days_sends_come_newest_first_from_all_shards(reading: Tables) -> None:
    for number in range(12):
        reading.send(f"order-{number}", number * 5 % 12, shard=number % LISTING_SHARDS)
    page = reading.lookup.of_day(DAY)
    assert [line.created_at for line in page.items] == [moment(second) for second in range(11, -1, -1)]
    assert page.next is None


def test_a_day_has_no_sends_of_campaigns_of_other_days_and_no_later_parts(reading: Tables) -> None:
    reading.send("order-1", parts=2)
    reading.send("order-1", part="2")
    reading.send("order-2", campaign="autumn")
    reading.send("order-3", day_shard="2026-11-24#0")
    assert ids(reading.lookup.of_day(DAY)) == ["order-1"]
    assert ids(reading.lookup.of_day("2026-11-24")) == ["order-3"]
    assert reading.lookup.of_day("2026-11-22") == Page(())


def test_a_line_says_what_the_row_says(reading: Tables) -> None:
    reading.send(
        state="REJECTED", mobiles=[SECOND, FIRST], code=300, words="内容错误", category="otp",
        attention="PROTOCOL", at_time="2026-11-23 13:00:00", content="你好", updated_at=moment(7),
    )  # fmt: skip
    (line,) = reading.lookup.of_day(DAY).items
    assert line == SendLine(
        send_id="order-1", created_at=moment(0), parts=1, states={"REJECTED": 1}, mobiles=2, mobile=SECOND,
        content="你好", category="otp", at_time="2026-11-23 13:00:00", updated_at=moment(7), code=300,
        words="内容错误", attention="PROTOCOL",
    )  # fmt: skip
    assert line.state == "REJECTED"


def test_a_send_of_several_parts_and_halves_counts_their_states_and_not_the_divided_ones(reading: Tables) -> None:
    reading.send(state="SPLIT", parts=3, mobiles=None, divided=[FIRST, SECOND])
    reading.part("1.1", state="ACCEPTED", positions=[0, 1])
    reading.part("1.2", state="REJECTED", positions=[1, 2])
    reading.part("2", state="ACCEPTED")
    reading.part("3", state="WAITING")
    (line,) = reading.lookup.of_day(DAY).items
    assert line.states == {"ACCEPTED": 2, "REJECTED": 1, "WAITING": 1}
    assert (line.state, line.parts, line.mobiles, line.mobile) == (None, 3, 2, FIRST)


def test_one_part_that_was_divided_is_told_by_its_halves(reading: Tables) -> None:
    reading.send(state="SPLIT", mobiles=None, divided=[FIRST, SECOND])
    reading.part("1.1", state="ACCEPTED", positions=[0, 1])
    reading.part("1.2", state="ACCEPTED", positions=[1, 2])
    (line,) = reading.lookup.of_day(DAY).items
    assert (line.states, line.state) == ({"ACCEPTED": 2}, "ACCEPTED")


def test_a_row_that_has_gone_since_the_index_was_read_leaves_a_line_without_states(reading: Tables) -> None:
    reading.send()
    names, client = reading.names, reading.client

    def expire(**_: Any) -> None:
        key = {"send_id": {"S": "order-1"}, "part": {"S": "1"}}
        client.delete_item(TableName=names["SendsTable"], Key=key)

    reading.reader.meta.events.register("before-call.dynamodb.BatchGetItem", expire)
    (line,) = reading.lookup.of_day(DAY).items
    assert (line.send_id, line.created_at, line.states, line.state, line.mobile) == (
        "order-1", moment(0), {}, None, None,
    )  # fmt: skip


# --- pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 50])
def test_pages_of_any_size_have_every_send_once_also_those_of_one_moment(reading: Tables, size: int) -> None:
    for number in range(14):
        reading.send(f"order-{number * 5 % 14:02}", number // 5, shard=number % 2)
    reading.page = 2
    found = [
        (line.created_at, line.send_id)
        for line in all_of(lambda **asked: reading.lookup.of_day(DAY, **asked), size)
    ]
    assert len(found) == len(set(found)) == 14
    assert found == sorted(found, reverse=True)


def test_a_page_goes_on_where_the_last_ended_whatever_has_come_since(reading: Tables) -> None:
    for second in (1, 2, 3):
        reading.send(f"order-{second}", second)
    page = reading.lookup.of_day(DAY, size=2)
    reading.send("order-4", 4)
    assert ids(page) == ["order-3", "order-2"]
    assert ids(reading.lookup.of_day(DAY, size=2, page=page.next)) == ["order-1"]


def test_a_page_asks_each_shard_once_and_for_no_more_than_it_shows(reading: Tables) -> None:
    for number in range(64):
        reading.send(f"order-{number:02}", number, shard=number % LISTING_SHARDS)
    reading.lookup.of_day(DAY, size=5)
    assert len(reading.asked) == LISTING_SHARDS
    assert {asked["Limit"] for asked in reading.asked} == {7}
    assert reading.operations.count("BatchGetItem") == 1


def test_a_page_token_is_good_for_its_own_listing_alone(reading: Tables) -> None:
    for second in (1, 2):
        reading.send(f"order-{second}", second)
        reading.send(f"order-{second}{second}", second, campaign=DAY)
    page = reading.lookup.of_day(DAY, size=1)
    assert page.next
    assert page.next.isascii()
    with pytest.raises(PageUnknown, match="another listing"):
        reading.lookup.of_day("2026-11-24", page=page.next)
    with pytest.raises(PageUnknown, match="another listing"):
        reading.lookup.of_campaign(DAY, page=page.next)
    with pytest.raises(PageUnknown, match="no page token"):
        reading.lookup.of_day(DAY, page=page.next[1:])


def test_a_shard_that_fails_is_told_as_ours(reading: Tables) -> None:
    Faults(reading.reader, "Query", lambda n: refusal("ThrottlingException") if n == LISTING_SHARDS - 1 else None)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB Query: ThrottlingException$"):
        reading.lookup.of_day(DAY)


# --- a campaign, and those of a day -----------------------------------------------------------------------------


def test_a_campaigns_sends_come_newest_first_each_once_however_many_parts_it_has(reading: Tables) -> None:
    for number in range(10):
        reading.send(f"order-{number}", number, shard=number % LISTING_SHARDS, campaign="autumn", state="ACCEPTED")
    reading.send("order-5", 5, shard=1, campaign="autumn", parts=2)
    reading.send("order-5", 5, shard=1, part="2", campaign="autumn")
    reading.send("order-x", 3, campaign="spring")
    for size in (1, 4, 50):
        found = all_of(lambda **asked: reading.lookup.of_campaign("autumn", **asked), size)
        assert [line.send_id for line in found] == [f"order-{number}" for number in range(9, -1, -1)]
    by_id = {line.send_id: line for line in found}
    assert by_id["order-5"].states == {"WAITING": 2}
    assert by_id["order-4"].campaign == "autumn"


def test_a_campaign_is_known_with_where_it_came_from_and_that_it_is_cancelled(reading: Tables) -> None:
    reading.campaign("autumn", 3, source="people.csv", digest="d1", cancelled_at=moment(9))
    assert reading.lookup.campaign("autumn") == CampaignLine("autumn", moment(3), "people.csv", "d1", moment(9))
    assert reading.lookup.campaign("spring") is None


def test_a_campaign_that_was_cancelled_before_anybody_named_it_has_no_beginning(reading: Tables) -> None:
    reading.put("CampaignsTable", {"campaign": "autumn", "cancelled_at": moment(9)})
    assert reading.lookup.campaign("autumn") == CampaignLine("autumn", None, cancelled_at=moment(9))


def test_the_campaigns_of_a_day_are_a_line_each_newest_first(reading: Tables) -> None:
    for number in range(7):
        reading.campaign(f"c-{number}", second=number * 3 % 7)
    reading.campaign("another", day="2026-11-24")
    for size in (2, 50):
        found = all_of(lambda **asked: reading.lookup.campaigns_of_day(DAY, **asked), size)
        assert [line.created_at for line in found] == [moment(second) for second in range(6, -1, -1)]
    assert found[0] == CampaignLine("c-2", moment(6), "queue")


def test_a_table_that_is_not_named_is_missed_by_who_asks_for_it_alone(reading: Tables) -> None:
    names = reading.environment
    few = reader(
        TableNames.read({name: names[name] for name in ("SENDS_TABLE", "REPORTS_TABLE", "INBOUND_TABLE")})
    )
    assert few.of_day(DAY) == Page(())
    with pytest.raises(SettingsMissing, match="CAMPAIGNS_TABLE"):
        few.campaigns_of_day(DAY)
    with pytest.raises(SettingsMissing, match="OUTBOUND_TABLE"):
        few.of_mobile(THIRD)
