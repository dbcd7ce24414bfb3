"""Everything to and from one mobile: found whatever became of it, in one order of time, in pages."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.answers import Answered, Conversation, Event, Fact, Reported, Sent
from kuaixintong.core.errors import PageUnknown, SettingsMissing, StoreUnavailable
from kuaixintong.status import Lookup
from kuaixintong.stores.inbound import Inbound
from kuaixintong.stores.parts import Parts
from kuaixintong.stores.reports import Reports
from kuaixintong.stores.table import DynamoTable
from tests.aws_faults import Faults, refusal
from tests.reading import FIRST, NOW, SECOND, THIRD, TOKEN, Tables, moment


def brief(event: Event) -> tuple[Any, ...]:
    match event:
        case Sent():
            return ("sent", event.send_id, event.state, str(event.delivery))
        case Reported():
            return ("reported", event.token, event.success, event.send_id)
        case Answered():
            return ("answered", event.content)


def told(reading: Tables, mobile: str = FIRST, **asked: Any) -> list[tuple[Any, ...]]:
    return [brief(event) for event in reading.lookup.of_mobile(mobile, **asked).events]


# --- as it grows ------------------------------------------------------------------------------------------------


def test_a_send_is_found_by_mobile_before_any_report_and_what_follows_comes_in_order(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="SUBMITTING")
    assert told(reading) == [("sent", "order-1", "SUBMITTING", "pending")]

    reading.send(state="ACCEPTED", token=TOKEN, accepted_at=moment(1))
    assert told(reading) == [("sent", "order-1", "ACCEPTED", "pending")]

    reading.report(received_at=moment(5))
    first = [("reported", TOKEN, True, "order-1"), ("sent", "order-1", "ACCEPTED", "delivered")]
    assert told(reading) == first

    reading.mo("2026-11-23 12:00:07", "好的")
    assert told(reading) == [("answered", "好的"), *first]

    reading.outbound("order-0")
    reading.send("order-0", 6, state="REJECTED", code=300)
    assert told(reading) == [("answered", "好的"), ("sent", "order-0", "REJECTED", "unsent"), *first]


def test_a_send_is_told_with_all_that_its_row_says(reading: Tables) -> None:
    reading.outbound("order-1", part="2")
    reading.send(
        part="2", state="UNCONFIRMED", code=230, words="时间戳错误", attention="UNCONFIRMED", category="marketing",
        campaign="autumn", at_time="2026-11-23 13:00:00", content="你好",
    )  # fmt: skip
    (sent,) = reading.lookup.of_mobile(FIRST).events
    assert sent == Sent(
        at=moment(0), send_id="order-1", part="2", state="UNCONFIRMED", delivery="pending",  # type: ignore[arg-type]
        content="你好", category="marketing", campaign="autumn", code=230, words="时间戳错误",
        at_time="2026-11-23 13:00:00", attention="UNCONFIRMED",
    )  # fmt: skip


def test_what_goes_to_others_is_not_told(reading: Tables) -> None:
    reading.outbound(mobile=SECOND)
    reading.send(mobiles=[FIRST, SECOND], state="ACCEPTED", token=TOKEN, accepted_at=moment(1))
    reading.report(FIRST, "2:46", received_at=moment(2))
    reading.mo("2026-11-23 12:00:07")
    assert told(reading, SECOND) == [("sent", "order-1", "ACCEPTED", "pending")]


@pytest.mark.parametrize("written", [f"+86 {FIRST}", f"0086{FIRST}", "137-0000-0001"])
def test_a_mobile_is_found_however_it_is_written(reading: Tables, written: str) -> None:
    reading.outbound()
    reading.send()
    found = reading.lookup.of_mobile(written)
    assert (found.mobile, len(found.events)) == (FIRST, 1)


def test_a_mobile_that_nothing_is_known_of_has_an_empty_conversation(reading: Tables) -> None:
    assert reading.lookup.of_mobile(FIRST) == Conversation(FIRST, ())


def test_two_reports_that_contradict_each_other_are_both_told_and_make_the_send_mixed(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="ACCEPTED", token=TOKEN, accepted_at=moment(1))
    reading.report(received_at=moment(2))
    reading.report(success=False, received_at=moment(3))
    assert told(reading) == [
        ("reported", TOKEN, False, "order-1"),
        ("reported", TOKEN, True, "order-1"),
        ("sent", "order-1", "ACCEPTED", "mixed"),
    ]


def test_a_report_whose_token_no_send_to_the_mobile_has_is_told_without_one(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="ACCEPTED", token="377", accepted_at=moment(1))
    reading.report(received_at=moment(2))
    assert told(reading) == [("reported", TOKEN, True, None), ("sent", "order-1", "ACCEPTED", "pending")]


def test_at_one_moment_the_send_comes_before_its_report_and_the_report_before_the_answer(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="ACCEPTED", token=TOKEN, accepted_at=moment(0))
    reading.report()
    reading.mo("2026-11-23 12:00:00")
    assert [each[0] for each in told(reading)] == ["answered", "reported", "sent"]


# --- what is not plain ------------------------------------------------------------------------------------------


def test_a_part_whose_row_is_not_there_is_told_last_and_fails_nothing(reading: Tables) -> None:
    for send_id in ("order-7", "order-8", "order-9"):
        reading.outbound(send_id)
    reading.send("order-8", state="WAITING")
    lookup = reading.lookup
    assert told(reading) == [
        ("sent", "order-8", "WAITING", "pending"),
        ("sent", "order-9", None, "pending"),
        ("sent", "order-7", None, "pending"),
    ]
    events = lookup.of_mobile(FIRST).events
    assert [(event.at, event.part) for event in events if isinstance(event, Sent)] == [
        (moment(0), "1"),
        (None, "1"),
        (None, "1"),
    ]
    assert [brief(event)[1] for event in paged(reading, 1)] == ["order-8", "order-9", "order-7"]


def test_a_mobile_in_a_half_has_the_halfs_state_and_token(reading: Tables) -> None:
    mobiles = [FIRST, SECOND, THIRD]
    for mobile in mobiles:
        reading.outbound(mobile=mobile)
    reading.send(state="SPLIT", mobiles=None, divided=mobiles, code=310)
    reading.send(
        part="1.1", state="ACCEPTED", token=TOKEN, positions=[0, 1], mobiles=[FIRST], accepted_at=moment(1)
    )
    reading.send(part="1.2", state="SPLIT", positions=[1, 3], mobiles=None)
    reading.send(part="1.2.1", state="WAITING", positions=[1, 2], mobiles=None)
    bad = [{"mobile": THIRD, "reason": "310 号码错误"}]
    reading.send(part="1.2.2", state="REJECTED", positions=[2, 3], mobiles=[], invalid_mobiles=bad, code=310)
    reading.report(received_at=moment(2))
    found = {mobile: reading.lookup.of_mobile(mobile).events[-1] for mobile in mobiles}
    assert {mobile: (*brief(event), event.part) for mobile, event in found.items() if isinstance(event, Sent)} == {
        FIRST: ("sent", "order-1", "ACCEPTED", "delivered", "1.1"),
        SECOND: ("sent", "order-1", "WAITING", "pending", "1.2.1"),
        THIRD: ("sent", "order-1", "REJECTED", "unsent", "1.2.2"),
    }
    lone = found[THIRD]
    assert isinstance(lone, Sent)
    assert lone.reason == "310 号码错误"
    assert told(reading, FIRST)[0] == ("reported", TOKEN, True, "order-1")


def test_a_divided_part_that_does_not_say_whom_it_went_to_is_told_as_it_is(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="SPLIT", mobiles=None, code=310)
    assert told(reading) == [("sent", "order-1", "SPLIT", "pending")]


def test_a_mobile_that_was_left_out_is_unsent_with_the_reason_whatever_became_of_the_part(reading: Tables) -> None:
    reading.outbound()
    left_out = [{"mobile": FIRST, "reason": "opted out"}]
    reading.send(
        state="ACCEPTED", token=TOKEN, accepted_at=moment(1), mobiles=[FIRST, SECOND], invalid_mobiles=left_out
    )
    (sent,) = reading.lookup.of_mobile(FIRST).events
    assert isinstance(sent, Sent)
    assert (sent.state, sent.delivery, sent.reason) == ("ACCEPTED", "unsent", "opted out")


def test_a_send_that_nobody_reports_is_unreported_in_time_and_a_late_report_wins(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="ACCEPTED", token=TOKEN, accepted_at=moment(0))
    reading.now = NOW.replace(hour=4) + timedelta(hours=72)
    assert told(reading) == [("sent", "order-1", "ACCEPTED", "unreported")]
    reading.report(received_at=moment(0))
    assert told(reading)[-1] == ("sent", "order-1", "ACCEPTED", "delivered")


def test_a_state_that_this_release_does_not_know_is_told_as_it_is(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="PONDERING")
    assert told(reading) == [("sent", "order-1", "PONDERING", "pending")]


def test_what_holds_for_a_mobile_stands_beside_every_page(reading: Tables) -> None:
    opted_out = reading.put("MobilesTable", {"mobile": FIRST, "what": "opt-out", "since": moment(1)})
    reading.put("MobilesTable", {"mobile": SECOND, "what": "invalid"})
    for second in (1, 2):
        reading.mo(f"2026-11-23 12:00:0{second}", f"{second}")
    page = reading.lookup.of_mobile(FIRST, size=1)
    assert page.facts == (Fact("opt-out", opted_out),)
    assert reading.lookup.of_mobile(FIRST, size=1, page=page.next).facts == page.facts


def test_an_mo_without_a_date_stands_where_it_was_received(reading: Tables) -> None:
    row = reading.mo("some day", "?")
    [event] = reading.lookup.of_mobile(FIRST).events
    assert event == Answered(row["received_at"], "?", "some day", row["received_at"])


# --- pages ------------------------------------------------------------------------------------------------------


def paged(reading: Tables, size: int) -> list[Event]:
    found = reading.lookup.of_mobile(FIRST, size=size)
    events = list(found.events)
    while found.next:
        assert len(found.events) == size
        found = reading.lookup.of_mobile(FIRST, size=size, page=found.next)
        events += found.events
    return events


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_pages_of_any_size_tell_everything_once_and_in_order(reading: Tables, size: int) -> None:
    for number in range(9):
        send_id, at = f"order-{number * 7 % 9}", number // 2  # two of a moment, and no order by id
        reading.outbound(send_id)
        reading.send(send_id, at, state="ACCEPTED", token=f"4{number}", accepted_at=moment(at))
        reading.report(token=f"4{number}", received_at=moment(at + 1))
        if number % 3 == 0:
            reading.mo(f"2026-11-23 12:00:0{at}", f"{number}")
            reading.mo(f"2026-11-23 12:00:0{at}.25", f"{number} und")
    reading.page = 2
    events = paged(reading, size)
    assert len(events) == 9 + 9 + 6
    assert {brief(event) for event in events} == {brief(event) for event in paged(reading, 1_000)}
    assert [event.at for event in events] == sorted((event.at or "" for event in events), reverse=True)
    assert len({brief(event) for event in events}) == len(events)


def test_a_page_goes_on_where_the_last_ended_whatever_has_come_since(reading: Tables) -> None:
    for second in (1, 2):
        reading.outbound(f"order-{second}")
        reading.send(f"order-{second}", second)
    page = reading.lookup.of_mobile(FIRST, size=1)
    reading.outbound("order-3")
    reading.send("order-3", 3)
    assert [brief(each)[1] for each in page.events] == ["order-2"]
    assert [each[1] for each in told(reading, page=page.next)] == ["order-1"]


def test_a_long_conversation_is_joined_in_batches_of_a_hundred(reading: Tables) -> None:
    for number in range(220):
        reading.outbound(f"order-{number:04}")
        reading.send(f"order-{number:04}", number)
    reading.operations.clear()
    found = reading.lookup.of_mobile(FIRST, size=5)
    assert [brief(event)[1] for event in found.events] == [f"order-{219 - number:04}" for number in range(5)]
    assert reading.operations.count("BatchGetItem") == 3 + len(found.events)
    assert len(reading.operations) < 20


def test_a_page_asks_each_list_once_for_as_much_as_it_needs(reading: Tables) -> None:
    reading.outbound()
    reading.send(state="ACCEPTED", token=TOKEN, accepted_at=moment(1))
    for second in range(10):
        reading.report(code=f"{second}", received_at=moment(second))
        reading.mo(f"2026-11-23 12:00:0{second}")
    reading.asked.clear()
    found = reading.lookup.of_mobile(FIRST, size=3)
    reported = {brief(event)[3] for event in found.events if isinstance(event, Reported)}
    assert (len(found.events), reported) == (3, {"order-1"})  # as the join has shown, with no question of its own
    tables = Counter((asked["TableName"], asked.get("IndexName")) for asked in reading.asked)
    assert set(tables.values()) == {1}, tables
    limits = {asked["TableName"]: asked["Limit"] for asked in reading.asked if "Limit" in asked}
    assert limits == {reading.names[table]: 5 for table in ("ReportsTable", "InboundTable")}


def test_a_page_token_of_another_mobile_is_refused(reading: Tables) -> None:
    for second in (1, 2):
        reading.outbound(f"order-{second}")
        reading.send(f"order-{second}", second)
    page = reading.lookup.of_mobile(FIRST, size=1)
    with pytest.raises(PageUnknown):
        reading.lookup.of_mobile(SECOND, page=page.next)


# --- when something is missing ----------------------------------------------------------------------------------


def test_dynamodb_failing_at_the_join_is_told_as_ours(reading: Tables) -> None:
    reading.outbound()
    Faults(reading.reader, "BatchGetItem", lambda _: refusal("ThrottlingException"))
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB BatchGetItem: ThrottlingException$"):
        reading.lookup.of_mobile(FIRST)


def test_a_look_up_that_knows_three_tables_says_what_it_cannot_be_asked(reading: Tables) -> None:
    names, client = reading.names, reading.reader
    few = Lookup(
        Parts(DynamoTable(client, names["SendsTable"])),
        Reports(client, names["ReportsTable"]),
        Inbound(client, names["InboundTable"]),
    )
    with pytest.raises(SettingsMissing, match="listings"):
        few.of_mobile(FIRST)
