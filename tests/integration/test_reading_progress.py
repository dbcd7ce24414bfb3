"""How far a campaign or a large send is: counts per state and statuses per mobile, streamed, with progress."""

from itertools import islice
from typing import Any

import pytest

from kuaixintong.core.answers import CampaignCounts
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.rows import LISTING_SHARDS
from kuaixintong.status import MobileStatus
from tests.aws_faults import Faults, refusal
from tests.reading import FIRST, SECOND, THIRD, TOKEN, Tables, moment

MANY = [f"138000000{number:02}" for number in range(40)]


def brief(found: Any) -> list[tuple[str, str, str]]:
    return sorted((each.part, each.mobile, str(each.delivery)) for each in found)


# --- counts -----------------------------------------------------------------------------------------------------


def test_a_campaign_is_counted_by_state_over_all_shards_and_pages(reading: Tables) -> None:
    states = ["ACCEPTED"] * 9 + ["REJECTED"] * 3 + ["WAITING"] * 2 + ["CANCELLED"]
    for number, state in enumerate(states):
        reading.send(f"order-{number}", shard=number % LISTING_SHARDS, state=state, campaign="autumn")
    reading.send("order-x", state="ACCEPTED", campaign="spring")
    reading.page = 1
    found = reading.lookup.counts_of_campaign("autumn")
    assert found == CampaignCounts("autumn", 15, {"ACCEPTED": 9, "REJECTED": 3, "WAITING": 2, "CANCELLED": 1})
    assert found.parts == 15


def test_a_divided_part_is_counted_apart_and_later_parts_are_no_sends(reading: Tables) -> None:
    for part, state in (("1", "SPLIT"), ("1.1", "ACCEPTED"), ("1.2", "WAITING"), ("2", "ACCEPTED")):
        reading.send(part=part, state=state, campaign="autumn")
    found = reading.lookup.counts_of_campaign("autumn")
    assert found == CampaignCounts("autumn", 1, {"ACCEPTED": 2, "WAITING": 1}, divided=1)
    assert found.parts == 3


def test_counting_tells_how_far_it_is_and_reads_neither_mobiles_nor_content(reading: Tables) -> None:
    for number in range(10):
        reading.send(f"order-{number}", shard=number % 3, campaign="autumn")
    reading.page = 2
    heard: list[int] = []
    reading.lookup.counts_of_campaign("autumn", progress=heard.append)
    assert heard == sorted(heard)
    assert (len(heard) >= 5, heard[-1]) == (True, 10)
    assert {asked["IndexName"] for asked in reading.asked} == {"by-campaign"}
    assert {*reading.operations} == {"Query"}


def test_a_campaign_that_nobody_knows_counts_nothing(reading: Tables) -> None:
    assert reading.lookup.counts_of_campaign("autumn") == CampaignCounts("autumn", 0, {})


def test_a_shard_that_fails_fails_the_count(reading: Tables) -> None:
    reading.send(campaign="autumn")
    Faults(reading.reader, "Query", lambda n: refusal("ThrottlingException") if n == 3 else None)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB Query: ThrottlingException$"):
        reading.lookup.counts_of_campaign("autumn")


# --- a campaign's statuses --------------------------------------------------------------------------------------


def test_a_campaigns_mobiles_come_each_with_what_became_of_it(reading: Tables) -> None:
    for number, mobile in enumerate((FIRST, SECOND, THIRD)):
        accepted: Any = {"state": "ACCEPTED", "token": f"40{number}", "accepted_at": moment(1)}
        reading.send(f"order-{number}", number, shard=number, campaign="autumn", mobiles=[mobile], **accepted)
    reading.report(FIRST, token="400")
    reading.report(SECOND, "2:46", token="401")
    reading.send("order-9", shard=2, campaign="autumn", state="REJECTED", mobiles=["13700000009"])
    reading.send("order-x", campaign="spring", mobiles=["13700000008"])
    found = {each.mobile: each for each in reading.lookup.statuses_of_campaign("autumn")}
    assert {mobile: str(each.delivery) for mobile, each in found.items()} == {
        FIRST: "delivered",
        SECOND: "failed",
        THIRD: "pending",
        "13700000009": "unsent",
    }
    (last,) = reading.lookup.reports_of_mobile(FIRST)
    assert found[FIRST] == MobileStatus(
        "order-0", "1", FIRST, found[FIRST].delivery, "ACCEPTED", None, last["result_code"], last["received_at"]
    )


def test_parts_of_many_mobiles_halves_and_those_left_out_are_told_whole(reading: Tables) -> None:
    left_out = [{"mobile": MANY[3], "reason": "opted out"}, {"mobile": "12345", "reason": "not 11 digits"}]
    accepted: Any = {"state": "ACCEPTED", "token": TOKEN, "accepted_at": moment(1), "campaign": "autumn"}
    reading.send("order-1", mobiles=MANY, invalid_mobiles=left_out, **accepted)
    reading.report(MANY[39])
    reading.send("order-2", shard=1, state="SPLIT", mobiles=None, divided=MANY, campaign="autumn")
    reading.send("order-2", shard=1, part="1.1", positions=[0, 20], mobiles=None, campaign="autumn")
    reading.send(
        "order-2", shard=1, part="1.2", positions=[20, 40], mobiles=MANY[20:], **accepted | {"token": "377"}
    )
    found = list(reading.lookup.statuses_of_campaign("autumn"))
    assert len(found) == 41 + 40
    first = {each.mobile: each for each in found if each.send_id == "order-1"}
    assert {mobile for mobile, each in first.items() if each.delivery == "delivered"} == {MANY[39]}
    reasons = {mobile: (each.delivery, each.reason) for mobile, each in first.items() if each.reason}
    assert reasons == {MANY[3]: ("unsent", "opted out"), "12345": ("unsent", "not 11 digits")}
    halves = [(each.part, each.mobile) for each in found if each.send_id == "order-2"]
    assert halves == [("1.1", mobile) for mobile in MANY[:20]] + [("1.2", mobile) for mobile in MANY[20:]]


def test_statuses_say_the_same_as_the_delivery_status(reading: Tables) -> None:
    bad = [{"mobile": "12345", "reason": "not 11 digits"}]
    reading.send(state="SPLIT", mobiles=None, divided=MANY, invalid_mobiles=bad, campaign="autumn", parts=2)
    reading.send(
        part="1.1", state="ACCEPTED", token=TOKEN, positions=[0, 30], mobiles=MANY[:30], campaign="autumn"
    )
    reading.send(part="1.2", state="WAITING", positions=[30, 40], mobiles=None, campaign="autumn")
    reading.send(part="2", state="EXPIRED", mobiles=[FIRST], campaign="autumn")
    for mobile in MANY[:10]:
        reading.report(mobile, "2:46")
        reading.report(mobile, "0" if mobile > MANY[5] else "2:47")
    whole = reading.lookup.delivery_status("order-1")
    expected = [(part.part, mobile, str(told)) for part in whole.parts for mobile, told in part.mobiles.items()]
    expected += [(part.part, mobile, "unsent") for part in whole.parts for mobile in part.invalid_mobiles]
    assert brief(reading.lookup.statuses("order-1")) == sorted(expected)
    assert brief(reading.lookup.statuses_of_campaign("autumn")) == sorted(expected)


def test_statuses_tell_how_many_parts_are_done(reading: Tables) -> None:
    for number in range(5):
        reading.send(f"order-{number}", number, shard=number % LISTING_SHARDS, campaign="autumn")
    heard: list[int] = []
    list(reading.lookup.statuses_of_campaign("autumn", progress=heard.append))
    assert heard == [1, 2, 3, 4, 5]


def test_a_stream_that_nobody_reads_on_asks_for_little_more(reading: Tables) -> None:
    for number in range(240):
        accepted: Any = {"state": "ACCEPTED", "token": f"4{number}", "accepted_at": moment(1)}
        reading.send(f"order-{number}", number, campaign="autumn", mobiles=MANY[:2], **accepted)
    stream = reading.lookup.statuses_of_campaign("autumn")
    assert reading.operations == []
    assert len(list(islice(stream, 3))) == 3
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert len(reading.asked) < 140


def test_a_row_that_expires_while_a_campaign_is_read_is_left_out(reading: Tables) -> None:
    for number in range(2):
        reading.send(f"order-{number}", campaign="autumn", mobiles=[MANY[number]])
    key = {"send_id": {"S": "order-0"}, "part": {"S": "1"}}

    def expire(**_: Any) -> None:
        reading.client.delete_item(TableName=reading.names["SendsTable"], Key=key)

    reading.reader.meta.events.register("before-call.dynamodb.BatchGetItem", expire)
    assert [each.mobile for each in reading.lookup.statuses_of_campaign("autumn")] == [MANY[1]]


def test_a_token_that_cannot_be_asked_for_ends_the_stream_with_an_error_of_ours(reading: Tables) -> None:
    reading.send(campaign="autumn", state="ACCEPTED", token=TOKEN)
    Faults(
        reading.reader,
        "Query",
        lambda _: (
            refusal("ThrottlingException") if reading.asked[-1]["TableName"].endswith("ReportsTable") else None
        ),
    )
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB Query: ThrottlingException$"):
        list(reading.lookup.statuses_of_campaign("autumn"))


def test_what_dynamodb_leaves_out_of_a_batch_is_asked_for_again(reading: Tables) -> None:
    for number in range(6):
        reading.send(f"order-{number}", number, campaign="autumn", mobiles=[MANY[number]])
    asked: list[int] = []

    def two_at_a_time(params: dict[str, Any], **_: Any) -> None:
        (request,) = params["RequestItems"].values()
        asked.append(len(request["Keys"]))
        left[:] = request["Keys"][2:]
        request["Keys"] = request["Keys"][:2]

    def leave_the_rest(parsed: dict[str, Any], **_: Any) -> None:
        if left:
            parsed["UnprocessedKeys"] = {reading.names["SendsTable"]: {"Keys": [*left]}}

    left: list[Any] = []
    reading.reader.meta.events.register("provide-client-params.dynamodb.BatchGetItem", two_at_a_time)
    reading.reader.meta.events.register("after-call.dynamodb.BatchGetItem", leave_the_rest)
    assert len(list(reading.lookup.statuses_of_campaign("autumn"))) == 6
    assert asked == [6, 4, 2]
