"""From a send's fields to messages: the same send comes out of the queue, whole, in however many messages."""

import json
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuaixintong.core import sends
from kuaixintong.core.bodies import LONGEST_BODY, Category
from kuaixintong.core.enqueueing import Draft, Enqueued, Message, Preview, batches, drafted, lane_of, previewed
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.lanes import Lane
from kuaixintong.core.limits import MESSAGE_BYTES
from kuaixintong.core.sends import Send

MOBILE = "13708600860"
GOOD: dict[str, Any] = {"mobiles": [MOBILE], "content": "周末参加不了培训了"}


def draft(**fields: Any) -> Draft:
    return drafted(GOOD | fields, fresh_id="fresh")


def received(message: Message) -> Send:
    return sends.parse(message.body, "the queue's own")


def numbers(count: int) -> list[str]:
    return [f"137{number:08}" for number in range(count)]


# --- one send, one message --------------------------------------------------------------------------------------


def test_a_send_comes_out_as_it_was_put_in() -> None:
    fields = GOOD | {
        "id": "order-1",
        "mobiles": ["+86 137-0860-0860", "12345", MOBILE, "18930612517"],
        "atTime": "2026-12-01 12:00:00",
        "dailyBeginTime": "08:00:00",
        "dailyEndTime": "18:00:00",
        "validUntil": "2026-12-02 00:00:00",
        "category": "marketing",
        "campaign": "spring",
        "hold": True,
    }
    (message,) = drafted(fields, fresh_id="fresh").messages
    assert received(message) == sends.parse(json.dumps(fields), "x")
    assert received(message).fingerprint == sends.parse(json.dumps(fields), "x").fingerprint
    assert (message.send_id, message.campaign, message.lane) == ("order-1", "spring", Lane.ORDINARY)
    assert message.length == len(message.body.encode())


@pytest.mark.parametrize("id_", [{}, {"id": ""}, {"id": None}])
def test_a_send_without_an_id_gets_one_since_aws_client_may_have_to_repeat_its_message(
    id_: dict[str, Any],
) -> None:
    made = draft(**id_)
    assert made.send_id == received(made.messages[0]).send_id == made.fields["id"] == "fresh"


def test_none_and_defaults_are_fields_left_out() -> None:
    plain = draft(id="a")
    written = draft(id="a", atTime=None, validUntil="", category="notice", campaign=None, hold=False)
    assert written.messages == plain.messages
    assert set(json.loads(plain.messages[0].body)) == {"id", "mobiles", "content"}


def test_mobiles_may_be_anything_that_can_be_gone_through_once_and_the_draft_keeps_them() -> None:
    made = drafted(GOOD | {"mobiles": (each for each in [MOBILE, "18930612517"])}, fresh_id="fresh")
    assert received(made.messages[0]).mobiles == (MOBILE, "18930612517")
    assert made.fields["mobiles"] == [MOBILE, "18930612517"]


def test_every_fault_is_told_as_the_sender_would_tell_it() -> None:
    with pytest.raises(SendRefused) as caught:
        drafted({"mobile": [MOBILE], "content": "", "category": "sms"}, fresh_id="fresh")
    body = json.dumps({"mobile": [MOBILE], "content": "", "category": "sms"})
    with pytest.raises(SendRefused) as told:
        sends.parse(body, "x")
    assert caught.value.faults == told.value.faults
    assert len(told.value.faults) == 4


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"mobiles": MOBILE}, "mobiles is a string"),
        ({"mobiles": b"13708600860"}, "mobiles is an object"),
        ({"mobiles": [13708600860]}, "mobiles[0] is a number"),
        ({"mobiles": [object()]}, "mobiles[0] is an object"),
        ({"mobiles": None}, "mobiles is missing"),
        ({"atTime": datetime(2026, 12, 1, 12)}, 'atTime is {"datetime": "2026-12-01 12:00:00"}'),  # noqa: DTZ001
        ({"content": b"x"}, "content is an object"),
        ({"hold": True}, "hold is true, and atTime is left out"),
    ],
)
def test_what_is_no_json_is_a_fault_and_never_taken_for_its_text(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(SendRefused) as caught:
        draft(**fields)
    assert [told[: len(fault)] for told in caught.value.faults] == [fault]


@pytest.mark.parametrize(
    ("category", "lane"), [("otp", Lane.URGENT), ("notice", Lane.ORDINARY), ("marketing", Lane.ORDINARY)]
)
def test_a_one_time_code_goes_into_the_urgent_lane_and_nothing_else_does(category: str, lane: Lane) -> None:
    assert draft(category=category).messages[0].lane is lane_of(Category(category)) is lane


def test_a_mobile_that_was_unusable_as_a_whole_stays_so_though_it_is_a_good_one_where_it_is_cut() -> None:
    padded = MOBILE + " " * 40 + "x"
    fields = GOOD | {"mobiles": [padded, "18930612517", "\ud800"]}
    send = received(drafted(fields, fresh_id="a").messages[0])
    assert send == sends.parse(json.dumps(fields), "a")
    assert send.mobiles == ("18930612517",)


def test_a_draft_knows_its_place_among_the_sends_of_a_call() -> None:
    made = drafted(GOOD, fresh_id="fresh", index=7)
    assert (made.index, made.messages[0].index) == (7, 7)
    assert (draft().index, draft().messages[0].index) == (0, 0)


def test_the_digest_of_the_payload_is_the_senders_and_none_where_no_send_has_it() -> None:
    made = draft(id="a")
    assert made.fingerprint == received(made.messages[0]).fingerprint
    assert draft(id="a", mobiles=numbers(75_000)).fingerprint is None
    enqueued = Enqueued(0, "a", ("a",), Lane.ORDINARY, None)
    assert enqueued.fingerprint is None
    assert replace(enqueued, fingerprint="f") == enqueued
    assert "fingerprint" not in repr(enqueued)


def test_a_preview_tells_what_a_send_would_be() -> None:
    fields = GOOD | {
        "mobiles": [*numbers(10_001), "bad", "+86 13700000000"],
        "content": "x" * 71,
        "category": "otp",
    }
    assert previewed(fields) == Preview(
        mobiles=10_001, invalid_mobiles=("bad",), segments=2, cost=20_002, parts=2, lane=Lane.URGENT
    )
    with pytest.raises(SendRefused, match="content"):
        previewed(GOOD | {"content": ""})


def test_neither_content_nor_mobiles_are_shown() -> None:
    shown = repr(draft())
    assert "培训" not in shown
    assert MOBILE not in shown


# --- one send, several messages ---------------------------------------------------------------------------------


def test_what_fits_no_message_is_shared_out_among_sends_of_one_campaign_in_whole_requests() -> None:
    made = draft(id="spring", mobiles=[*numbers(150_000), "bad"], category="otp", validUntil="2026-12-01 12:00:00")
    shares = [received(message) for message in made.messages]
    assert [share.send_id for share in shares] == ["spring:1", "spring:2", "spring:3"]
    assert [len(share.mobiles) for share in shares] == [70_000, 70_000, 10_000]
    assert [*chain.from_iterable(share.mobiles for share in shares)] == numbers(150_000)
    assert [each.mobile for share in shares for each in share.invalid_mobiles] == ["bad"]
    assert {share.campaign for share in shares} == {"spring"}
    assert {(share.content, share.category, share.valid_until) for share in shares} == {
        (GOOD["content"], Category.OTP, "2026-12-01 12:00:00")
    }
    assert {message.lane for message in made.messages} == {Lane.URGENT}


def test_a_mobile_that_stands_twice_is_in_one_share_alone() -> None:
    made = draft(mobiles=[*numbers(80_000), *(f"+86 {mobile}" for mobile in numbers(80_000))])
    mobiles = [*chain.from_iterable(received(message).mobiles for message in made.messages)]
    assert len(mobiles) == len({*mobiles}) == 80_000


def test_what_fits_a_message_once_it_is_normalised_is_one_send() -> None:
    made = draft(id="a", mobiles=[f"+86 {mobile[:3]} {mobile[3:7]} {mobile[7:]}" for mobile in numbers(60_000)])
    assert [message.send_id for message in made.messages] == ["a"]


def test_shares_are_the_same_whenever_and_however_the_send_is_written() -> None:
    once = draft(id="a", mobiles=numbers(75_000))
    again = draft(id="a", mobiles=[f"86-{mobile}" for mobile in numbers(75_000)], category="notice")
    assert once.messages == again.messages


@pytest.mark.parametrize("length", [1, 100, 101, 128])
def test_the_ids_of_shares_and_their_campaign_keep_the_rules_however_long_the_sends_id_is(length: int) -> None:
    made = draft(id="x" * length, mobiles=numbers(75_000))
    shares = [received(message) for message in made.messages]
    label = shares[0].campaign or ""
    assert [share.send_id for share in shares] == [f"{label}:1", f"{label}:2"]
    assert {share.campaign for share in shares} == {label}
    assert label == "x" * length or (length > 100 and label.startswith("x" * 67 + ":"))


def test_a_share_of_unusable_mobiles_is_as_full_as_it_can_be() -> None:
    unusable = [f"bad-{number:06}" for number in range(100_000)]
    first, second = draft(id="a", mobiles=unusable).messages
    most, one = LONGEST_BODY - len("999999"), len('"bad-000000",')  # the number of a share may be longer
    assert most - one < first.length <= most
    assert [each.mobile for share in (first, second) for each in received(share).invalid_mobiles] == unusable


def test_a_campaign_of_its_own_stays_the_shares_campaign() -> None:
    made = draft(id="x", mobiles=numbers(75_000), campaign="spring")
    assert [(each.send_id, each.campaign) for each in made.messages] == [("x:1", "spring"), ("x:2", "spring")]


def test_two_long_ids_that_begin_alike_have_shares_of_their_own() -> None:
    one, other = (draft(id="x" * 127 + end, mobiles=numbers(75_000)) for end in "ab")
    assert not {each.send_id for each in one.messages} & {each.send_id for each in other.messages}


@settings(max_examples=15)
@given(
    st.integers(0, 75_000),
    st.integers(0, 40_000),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.text("ab:", min_size=1, max_size=128),
)
def test_every_message_is_taken_by_the_queue_and_every_mobile_is_in_exactly_one(
    good: int, bad: int, content: str, id_: str
) -> None:
    unusable = [f"号码\ufffe{number}" for number in range(bad)]
    if not good + bad:
        return
    made = draft(id=id_, mobiles=[*unusable, *numbers(good)], content=content)
    shares = [received(message) for message in made.messages]
    assert all(message.length <= LONGEST_BODY for message in made.messages)
    assert [*chain.from_iterable(share.mobiles for share in shares)] == numbers(good)
    assert [each.mobile for share in shares for each in share.invalid_mobiles] == unusable
    assert {share.content for share in shares} == {content}


# --- batches ----------------------------------------------------------------------------------------------------


def message(number: int, *, lane: Lane = Lane.ORDINARY, length: int = 100) -> Message:
    return Message(number, f"m-{number}", lane, None, "x", length)


def test_ten_messages_go_in_one_call() -> None:
    assert [len(batch) for batch in batches(message(number) for number in range(25))] == [10, 10, 5]
    assert not [*batches([])]


def test_a_call_carries_no_more_than_a_mebibyte() -> None:
    made = [message(number, length=MESSAGE_BYTES // 3) for number in range(7)]
    assert [len(batch) for batch in batches(made)] == [3, 3, 1]
    full = [message(number, length=MESSAGE_BYTES) for number in range(2)]
    assert [len(batch) for batch in batches(full)] == [1, 1]


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, MESSAGE_BYTES))))
def test_every_message_is_in_one_call_of_its_lane_in_order(made: list[tuple[Lane, int]]) -> None:
    messages = [message(number, lane=lane, length=length) for number, (lane, length) in enumerate(made)]
    calls = [*batches(messages)]
    for lane in Lane:
        of_lane = [each for call in calls if call[0].lane is lane for each in call]
        assert of_lane == [each for each in messages if each.lane is lane]
    for call in calls:
        assert len({each.lane for each in call}) == 1
        assert len(call) <= 10
        assert sum(each.length for each in call) <= MESSAGE_BYTES


def test_a_batch_goes_as_soon_as_it_is_full_so_that_a_stream_need_not_end() -> None:
    taken = []

    def endless() -> Any:
        number = 0
        while True:
            taken.append(number)
            yield message(number)
            number += 1

    assert [each.index for each in next(iter(batches(endless())))] == [*range(10)]
    assert len(taken) == 11
