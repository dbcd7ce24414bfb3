"""What happened to a send, in one order of time; an account's balances; and what real senders leave to be read."""

from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.core.answers import Balance, Happened
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.status import Lookup, Reported, Sent
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.table import DynamoTable
from kuaixintong.wiring.reading import reader
from tests.aws_faults import Faults, refusal
from tests.reading import FIRST, NOW, SECOND, THIRD, TOKEN, Tables, moment, names_of
from tests.sending import BODY, MOBILE, refuse
from tests.world import CID, DynamoWorld


def event(second: float, name: str, **told: Any) -> dict[str, Any]:
    return {"time": moment(second), "event": name, **told}


# --- a send's history -------------------------------------------------------------------------------------------


def test_the_events_of_all_parts_and_their_reports_come_in_one_order_of_time(reading: Tables) -> None:
    first = [event(1, "SUBMITTING", timestamp="2026"), event(4, "ACCEPTED", code=0)]
    reading.part("1", state="ACCEPTED", token=TOKEN, history=first)
    second = [event(2, "SUBMITTING"), event(3, "WAITING", code=1, words="系统忙")]
    reading.part("2", history=second)
    reading.report(FIRST, received_at=moment(5))
    reading.report(SECOND, "2:46", received_at=moment(2.5))
    reading.part("1", send_id="order-2", history=[event(1, "REJECTED")])
    assert list(reading.lookup.history("order-1")) == [
        Happened(moment(1), "1", "SUBMITTING", timestamp="2026"),
        Happened(moment(2), "2", "SUBMITTING"),
        Happened(moment(2.5), "1", "report", words="2:46", success=False, mobile=SECOND),
        Happened(moment(3), "2", "WAITING", code=1, words="系统忙"),
        Happened(moment(4), "1", "ACCEPTED", code=0),
        Happened(moment(5), "1", "report", words="0", success=True, mobile=FIRST),
    ]


def test_reports_that_came_together_and_say_the_same_are_one_event(reading: Tables) -> None:
    reading.part(state="ACCEPTED", token=TOKEN)
    for mobile, code, second in ((FIRST, "0", 1), (SECOND, "0", 1), (THIRD, "2:46", 1), (THIRD, "0", 2)):
        reading.report(mobile, code, received_at=moment(second))
    told = {(each.at, each.words, each.count, each.mobile) for each in reading.lookup.history("order-1")}
    assert told == {
        (moment(1), "0", 2, None),
        (moment(1), "2:46", 1, THIRD),
        (moment(2), "0", 1, THIRD),
    }


def test_rows_that_tell_nothing_and_sends_that_nobody_knows_have_no_history(reading: Tables) -> None:
    reading.part()
    assert list(reading.lookup.history("order-1")) == []
    assert list(reading.lookup.history("order-9")) == []


def test_neither_mobiles_nor_content_are_read_for_a_history(reading: Tables) -> None:
    reading.part(state="ACCEPTED", token=TOKEN, content="x", history=[event(1, "ACCEPTED")])
    list(reading.lookup.history("order-1"))
    for asked in reading.asked:
        assert {"mobiles", "content"}.isdisjoint(asked["ExpressionAttributeNames"].values())
        assert asked["ProjectionExpression"]


def test_a_store_that_fails_at_the_reports_of_a_part_is_told_as_ours(reading: Tables) -> None:
    reading.part(state="ACCEPTED", token=TOKEN)
    Faults(reading.reader, "Query", lambda n: refusal("ThrottlingException") if n == 1 else None)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB Query: ThrottlingException$"):
        list(reading.lookup.history("order-1"))


# --- balances ---------------------------------------------------------------------------------------------------


def test_an_accounts_balances_come_oldest_first(reading: Tables) -> None:
    accounts = Accounts(DynamoTable(reading.client, reading.names["AccountTable"]))
    for minutes, balance in enumerate((500, 400, None)):
        accounts.remember_balances(CID, sm_balance=balance, mm_balance=7, now=NOW + timedelta(minutes=minutes))
    assert reading.lookup.balances(CID) == [
        Balance("2026-11-23T14:00:00.000+08:00", 500, 7),
        Balance("2026-11-23T14:01:00.000+08:00", 400, 7),
        Balance("2026-11-23T14:02:00.000+08:00", None, 7),
    ]
    assert reading.lookup.balances("another") == []


# --- what senders leave -----------------------------------------------------------------------------------------


@pytest.fixture
def lookup(moto_world: DynamoWorld) -> Lookup:
    return reader(names_of(moto_world.tables), moto_world.dynamodb, clock=lambda: moto_world.now)


def test_what_a_sender_has_sent_is_found_by_mobile_by_day_by_campaign_and_in_its_history(
    moto_world: DynamoWorld, lookup: Lookup
) -> None:
    moto_world.deliver(BODY | {"id": "order-1"})
    moto_world.pass_time(seconds=1)
    moto_world.deliver(
        BODY | {"id": "order-2", "campaign": "autumn", "mobiles": [MOBILE, SECOND]}, message_id="m-2"
    )
    moto_world.pass_time(seconds=1)
    token = moto_world.row("order-1")["token"]
    moto_world.report(token, MOBILE)
    report, second, first = lookup.of_mobile(MOBILE).events
    assert isinstance(report, Reported)
    assert isinstance(second, Sent)
    assert isinstance(first, Sent)
    assert (report.send_id, report.success) == ("order-1", True)
    assert (second.send_id, second.delivery, second.campaign) == ("order-2", "pending", "autumn")
    assert (first.send_id, first.delivery, first.token) == ("order-1", "delivered", token)

    assert [line.send_id for line in lookup.of_day("2026-11-23").items] == ["order-1"]
    assert [line.campaign for line in lookup.campaigns_of_day("2026-11-23").items] == ["autumn"]
    assert [(line.send_id, line.mobiles) for line in lookup.of_campaign("autumn").items] == [("order-2", 2)]
    assert lookup.counts_of_campaign("autumn").states == {"ACCEPTED": 1}
    assert {each.mobile for each in lookup.statuses_of_campaign("autumn")} == {MOBILE, SECOND}
    assert [each.event for each in lookup.history("order-1")][-2:] == ["ACCEPTED", "report"]


def test_a_part_that_the_platform_made_a_sender_divide_is_told_half_by_half(
    moto_world: DynamoWorld, lookup: Lookup
) -> None:
    refuse(moto_world, SECOND)
    moto_world.deliver_until_done(
        BODY | {"id": "order-1", "mobiles": [FIRST, SECOND, THIRD], "campaign": "autumn"}
    )
    told = {mobile: lookup.of_mobile(mobile).events[0] for mobile in (FIRST, SECOND, THIRD)}
    states = {mobile: (sent.state, str(sent.delivery)) for mobile, sent in told.items() if isinstance(sent, Sent)}
    assert states == {
        FIRST: ("ACCEPTED", "pending"),
        SECOND: ("REJECTED", "unsent"),
        THIRD: ("ACCEPTED", "pending"),
    }
    streamed = {each.mobile: str(each.delivery) for each in lookup.statuses_of_campaign("autumn")}
    assert streamed == {FIRST: "pending", SECOND: "unsent", THIRD: "pending"}
    assert {each.mobile: str(each.delivery) for each in lookup.statuses("order-1")} == streamed
    counts = lookup.counts_of_campaign("autumn")
    assert (counts.sends, counts.states["REJECTED"]) == (1, 1)
    (line,) = lookup.of_campaign("autumn").items
    assert (line.states, counts.states) == (dict(counts.states), line.states)


def test_a_send_of_a_moment_ago_that_nobody_has_claimed_yet_is_found_by_its_mobile(
    moto_world: DynamoWorld, lookup: Lookup
) -> None:
    assert moto_world.dies_before(1, BODY | {"id": "order-1"}, of="platform.*")
    (sent,) = lookup.of_mobile(MOBILE).events
    assert isinstance(sent, Sent)
    assert (sent.send_id, sent.state, sent.delivery) == ("order-1", "SUBMITTING", "pending")
