"""What a part's row says after each decision, attribute by attribute."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuaixintong.core import events, sends
from kuaixintong.core.change import Change
from kuaixintong.core.ledger import (
    ADVICE,
    Addressee,
    Attention,
    Lapse,
    Outcome,
    Standing,
    State,
    Submit,
    rule_for,
)
from kuaixintong.core.messages import Answer
from kuaixintong.core.rows import (
    REFUSED_SHARDS,
    Rows,
    campaign_shards,
    day_shards,
    digest_of,
    refused_shard,
    taking_over,
)
from kuaixintong.core.sends import InvalidMobile, Part, Send

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
STAMP = "2026-11-23T12:00:00.000+08:00"
ROWS = Rows(retention=timedelta(days=180), lease=timedelta(seconds=90))
EXPIRES = int((NOW + timedelta(days=180)).timestamp())
MOBILES = ["13700000001", "13700000002", "13700000003"]
DATED = {"updated_at": STAMP, "expires_at": EXPIRES}
BORN = {"revision": 1, "created_at": STAMP, **DATED}
SUBMIT = Submit("T1", uses=2, unanswered=2, attempts=3)


def told(event: str, **more: Any) -> dict[str, Any]:
    return {"time": STAMP, "event": event, **more}


def send_of(**changes: Any) -> Send:
    return sends.parse(json.dumps({"mobiles": MOBILES, "content": "周末参加不了培训了"} | changes), "m-1")


SEND = send_of()
(WHOLE,) = SEND.parts
FIRST, SECOND = WHOLE.halves()


def settled(answer: Answer | None, *, part: Part = WHOLE, first_use: bool = False, **more: Any) -> Change:
    outcome = Outcome(answer, first_use, len(part.mobiles), **more)
    return ROWS.settled(part, SUBMIT, rule_for(outcome), outcome, now=NOW)


# --- a row's birth ----------------------------------------------------------------------------------------------


def test_a_noted_part_says_all_that_its_send_says_of_it() -> None:
    send = send_of(
        mobiles=[*MOBILES, "bad"],
        atTime="2026-11-24 12:00:00",
        dailyBeginTime="08:00:00",
        dailyEndTime="18:00:00",
        validUntil="2026-11-25 12:00:00",
        category="marketing",
        campaign="autumn",
    )
    assert ROWS.noted(send, send.parts[0], now=NOW) == {
        "send_id": "m-1",
        "part": "1",
        "parts": 1,
        "state": "WAITING",
        "mobiles": MOBILES,
        "positions": None,
        "invalid_mobiles": [{"mobile": "bad", "reason": "not 11 digits beginning with 1"}],
        "content": "周末参加不了培训了",
        "content_lent": None,
        "hold": None,
        "at_time": "2026-11-24 12:00:00",
        "daily_begin_time": "08:00:00",
        "daily_end_time": "18:00:00",
        "valid_until": "2026-11-25 12:00:00",
        "category": "marketing",
        "campaign": "autumn",
        "history": [told("WAITING")],
        "campaign_shard": "autumn#0",
        "fingerprint": send.fingerprint,
        **BORN,
    }


def test_a_notice_that_belongs_to_no_campaign_says_nothing_of_either() -> None:
    row = ROWS.noted(send_of(category="notice"), WHOLE, now=NOW)
    assert (row["category"], row["campaign"]) == (None, None)


def listed_under(send: Send, part: Part = WHOLE, now: datetime = NOW) -> dict[str, str]:
    row = ROWS.noted(send, part, now=now)
    return {name: row[name] for name in ("day_shard", "campaign_shard") if name in row}


def test_a_send_without_a_campaign_is_listed_by_the_beijing_day_of_its_birth_under_its_first_part() -> None:
    assert listed_under(SEND) == {"day_shard": "2026-11-23#0"}
    assert listed_under(SEND, now=NOW.replace(hour=16)) == {"day_shard": "2026-11-24#0"}
    assert listed_under(SEND, Part("2", ("13700000001",))) == listed_under(SEND, FIRST) == {}


def test_of_a_campaigns_sends_every_part_is_listed_by_campaign_and_none_by_day() -> None:
    send = send_of(campaign="autumn")
    assert listed_under(send) == listed_under(send, FIRST) == {"campaign_shard": "autumn#0"}
    assert listed_under(send, Part("2", ("13700000001",))) == {"campaign_shard": "autumn#0"}


def test_listings_are_spread_over_eight_keys_each_by_the_sends_id() -> None:
    names = [str(number) for number in range(200)]
    days = {listed_under(send_of(id=name))["day_shard"] for name in names}
    campaigns = {listed_under(send_of(id=name, campaign="c"))["campaign_shard"] for name in names}
    assert days == set(day_shards("2026-11-23")) == {f"2026-11-23#{shard}" for shard in range(4)}
    assert campaigns == set(campaign_shards("c")) == {f"c#{shard}" for shard in range(4)}


def test_a_refused_body_is_in_no_listing_and_the_mended_one_is() -> None:
    refused = ROWS.refused("m-1", "{}", "One.", digest_of("{}"), by="m-1", now=NOW)
    assert refused.keys().isdisjoint({"day_shard", "campaign_shard"})
    mended = taking_over(ROWS.noted(SEND, WHOLE, now=NOW), Standing.of(refused))
    assert mended["day_shard"] == "2026-11-23#0"


def test_a_listings_key_never_changes() -> None:
    changes = [
        ROWS.taken(SUBMIT, claim="c", asked=None, now=NOW),
        settled(Answer(0, "", token="1")),
        ROWS.lapsed(SEND, WHOLE, Lapse(State.EXPIRED, None), claim="c", now=NOW),
        ROWS.divided(WHOLE, SUBMIT, Outcome(Answer(310, ""), True, 3), now=NOW),
        ROWS.given_up(now=NOW),
        ROWS.told("x", now=NOW),
    ]
    keys = {"day_shard", "campaign_shard", "created_at"}
    assert [change for change in changes if keys & {*change.values, *change.gone, *change.added}] == []


def test_a_half_is_noted_by_its_positions_and_without_its_mobiles() -> None:
    rows = [ROWS.noted(SEND, half, now=NOW) for half in (*SECOND.halves(), FIRST)]
    assert [(row["part"], row["mobiles"], row["positions"]) for row in rows] == [
        ("1.2.1", None, [1, 2]),
        ("1.2.2", None, [2, 3]),
        ("1.1", None, [0, 1]),
    ]


def test_a_part_without_usable_mobiles_is_born_rejected_and_says_where_to_look() -> None:
    send = send_of(mobiles=["bad"])
    row = ROWS.noted(send, send.parts[0], now=NOW)
    assert (row["state"], row["mobiles"]) == ("REJECTED", [])
    assert row["words"] == "No mobile of this part is usable; invalid_mobiles says why."
    assert "words" not in ROWS.noted(SEND, WHOLE, now=NOW)


def test_without_store_content_no_text_of_a_message_is_kept() -> None:
    lean = Rows(ROWS.retention, ROWS.lease, store_content=False)
    assert lean.noted(SEND, WHOLE, now=NOW)["content"] is None
    assert lean.refused("m-1", "{}", "One.", digest_of("{}"), by="m-1", now=NOW)["body"] is None


def test_an_hour_is_how_long_a_timestamp_is_repeated_if_nothing_else_is_said() -> None:
    assert ROWS.repeat_within == timedelta(hours=1)


# --- refused bodies ---------------------------------------------------------------------------------------------


def test_a_refused_body_is_kept_with_its_faults_and_listed_for_a_person() -> None:
    digest = digest_of('{"id": 1}')
    assert ROWS.refused("order-1", '{"id": 1}', "One. Two.", digest, by="m-1", now=NOW) == {
        "send_id": "order-1",
        "part": "1",
        "parts": 1,
        "state": "REJECTED",
        "words": "One. Two.",
        "body": '{"id": 1}',
        "fingerprint": digest,
        "refused": [digest],
        "claim": "m-1",
        "attention": refused_shard(int(digest[:8], 16) % 8),
        "advice": ADVICE[Attention.REFUSED],
        **BORN,
    }


def test_of_a_long_refused_body_the_beginning_is_kept() -> None:
    body = "长" * 100_000
    assert ROWS.refused("m-1", body, "One.", digest_of(body), by="m-1", now=NOW)["body"] == "长" * 90_000


def test_refused_bodies_are_spread_over_eight_keys_of_the_index() -> None:
    digests = [digest_of(str(number)) for number in range(200)]
    found = {ROWS.refused("m-1", "{}", "One.", digest, by="m-1", now=NOW)["attention"] for digest in digests}
    assert found == {f"REFUSED.{shard}" for shard in range(8)}
    assert REFUSED_SHARDS == 8


def test_a_digest_is_32_hex_digits_of_the_bodys_bytes() -> None:
    assert digest_of("") == "e3b0c44298fc1c149afbf4c8996fb924"
    assert digest_of("长") != digest_of("短")


def test_a_row_that_takes_a_refused_bodys_place_goes_on_with_its_revision_and_remembers_it() -> None:
    standing = Standing(State.REJECTED, "d2", 7, refused=("d1", "d2"))
    assert taking_over({"state": "WAITING", "revision": 1}, standing) == {
        "state": "WAITING",
        "revision": 8,
        "refused": ["d1", "d2"],
    }
    assert taking_over({"revision": 1, "refused": ["d3"]}, standing)["refused"] == ["d1", "d2", "d3"]


def test_a_row_remembers_the_last_ten_bodies_that_were_refused() -> None:
    standing = Standing(State.REJECTED, "d9", 7, refused=tuple(f"d{number}" for number in range(10)))
    remembered = taking_over({"refused": ["d10"]}, standing)["refused"]
    assert remembered == [f"d{number}" for number in range(1, 11)]


# --- before a request -------------------------------------------------------------------------------------------


def test_a_claim_writes_down_who_is_asked_with_what_and_until_when_it_holds() -> None:
    change = ROWS.taken(
        Submit("T1", 2, 1, 3, asked_at=NOW - timedelta(minutes=1), with_at_time=True),
        claim="A",
        asked=Addressee("12345678", "test", "platform.example"),
        now=NOW,
    )
    assert change == Change(
        {
            "cid": "12345678",
            "uid": "test",
            "server": "platform.example",
            "state": "SUBMITTING",
            "timestamp": "T1",
            "uses": 2,
            "unanswered": 1,
            "attempts": 3,
            "asked_at": "2026-11-23T11:59:00.000+08:00",
            "with_at_time": True,
            "claim": "A",
            "lease_until": "2026-11-23T12:01:30.000+08:00",
            **DATED,
        },
        gone=("waits_until", "due_at", "due_shard", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told("SUBMITTING", timestamp="T1")]},
    )


def test_a_first_request_is_asked_now_and_nobody_is_written_down_who_is_not_known() -> None:
    values = ROWS.taken(Submit("T1", 1, 1, 1), claim="A", asked=None, now=NOW).values
    assert values["asked_at"] == STAMP
    assert not {"cid", "uid", "server"} & {*values}


def test_a_new_parts_row_is_born_with_its_claim() -> None:
    change = ROWS.taken(Submit("T1", 1, 1, 1), claim="A", asked=None, now=NOW)
    row = ROWS.born_moved(SEND, WHOLE, replace(change, values={**change.values, "code": None}), now=NOW)
    assert row == ROWS.noted(SEND, WHOLE, now=NOW) | dict(change.values) | dict(change.appended)
    assert row["history"] == [told("SUBMITTING", timestamp="T1")]
    assert "code" not in row


def test_a_part_that_lapses_says_why_and_frees_its_lease() -> None:
    send = send_of(validUntil="2026-11-23 12:00:00")
    change = ROWS.lapsed(send, WHOLE, Lapse(State.EXPIRED, None), claim="A", now=NOW)
    assert change == Change(
        {"state": "EXPIRED", "words": "validUntil 2026-11-23 12:00:00 has passed.", "claim": "A", **DATED},
        gone=("lease_until", "waits_until", "due_at", "due_shard", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told("EXPIRED", words="validUntil 2026-11-23 12:00:00 has passed.")]},
    )


def test_a_part_that_lapses_in_doubt_asks_for_a_person() -> None:
    doubt = Lapse(State.UNCONFIRMED, Attention.UNCONFIRMED, "The user has changed.")
    change = ROWS.lapsed(SEND, SECOND, doubt, claim="A", now=NOW, unanswered=0)
    assert change == Change(
        {
            "state": "UNCONFIRMED",
            "words": "The user has changed.",
            "claim": "A",
            "mobiles": MOBILES[1:],
            "unanswered": 0,
            "attention": "UNCONFIRMED",
            "advice": ADVICE[Attention.UNCONFIRMED],
            **DATED,
        },
        gone=("lease_until", "waits_until", "due_at", "due_shard"),
        added={"revision": 1},
        appended={"history": [told("UNCONFIRMED", words="The user has changed.")]},
    )


# --- after a request --------------------------------------------------------------------------------------------


def test_an_acceptance_leaves_its_token_fee_and_moment() -> None:
    assert settled(Answer(0, "操作成功", token="376", fee=3)) == Change(
        {
            "state": "ACCEPTED",
            "uses": 2,
            "unanswered": 1,
            "code": 0,
            "words": "操作成功",
            "token": "376",
            "fee": 3,
            "accepted_at": STAMP,
            **DATED,
        },
        gone=("lease_until", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told("ACCEPTED", code=0)]},
    )


def test_a_refusal_has_the_specs_words_where_the_platform_has_none() -> None:
    change = settled(Answer(340))
    assert (change.values["code"], change.values["words"]) == (340, "每日限发时段不正确")
    assert "token" not in change.values
    assert "accepted_at" not in change.values


def test_what_asks_for_a_person_says_so_with_advice() -> None:
    change = settled(Answer(110, "无效"))
    assert (change.values["state"], change.values["attention"]) == ("REJECTED", "PROTOCOL")
    assert change.values["advice"] == ADVICE[Attention.PROTOCOL]
    assert change.gone == ("lease_until",)


def test_no_answer_leaves_words_of_why_and_no_code_of_an_earlier_one() -> None:
    change = settled(None, words="timed out")
    assert change == Change(
        {"state": "SUBMITTING", "uses": 2, "unanswered": 2, "words": "timed out", **DATED},
        gone=("lease_until", "code", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told("SUBMITTING", words="timed out")]},
    )
    assert settled(None).values["words"] is None


def test_a_request_that_never_left_is_counted_no_longer() -> None:
    change = settled(None, left=False)
    assert (change.values["uses"], change.values["unanswered"]) == (1, 1)


def test_a_time_that_has_passed_by_the_platforms_clock_is_remembered_as_over() -> None:
    assert settled(Answer(330), at_time_near=True).values["at_time_over"] is True
    assert "at_time_over" not in settled(Answer(330)).values


@pytest.mark.parametrize(("code", "mobiles"), [(0, MOBILES[1:]), (320, MOBILES[1:]), (1, None)])
def test_a_half_has_its_mobiles_again_when_it_comes_to_its_end(code: int, mobiles: list[str] | None) -> None:
    assert settled(Answer(code, token="376"), part=SECOND).values.get("mobiles") == mobiles
    assert "mobiles" not in settled(Answer(code, token="376")).values


def test_a_number_that_stands_alone_and_is_refused_moves_to_the_unusable_ones() -> None:
    alone = Part("1", ("13700000001",), (InvalidMobile("bad", "not 11 digits"),))
    for part, named in ((alone, ["bad", "13700000001"]), (FIRST, ["13700000001"])):
        values = settled(Answer(310, "包含无效号码，见附件"), part=part).values
        assert (values["state"], values["mobiles"]) == ("REJECTED", [])
        assert [each["mobile"] for each in values["invalid_mobiles"]] == named
        assert values["invalid_mobiles"][-1]["reason"] == "310 包含无效号码"
    for other in (settled(Answer(320), part=alone), settled(Answer(310))):
        assert "invalid_mobiles" not in other.values


def test_a_part_that_is_divided_keeps_its_mobiles_for_its_halves_if_it_is_none_itself() -> None:
    outcome = Outcome(Answer(310), first_use=True, mobiles=3)
    assert ROWS.divided(WHOLE, SUBMIT, outcome, now=NOW) == Change(
        {
            "state": "SPLIT",
            "unanswered": 1,
            "divided": MOBILES,
            "code": 310,
            "words": "包含无效号码",
            **DATED,
        },
        gone=("lease_until", "mobiles", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told("SPLIT", code=310, words="包含无效号码")]},
    )
    assert ROWS.divided(SECOND, SUBMIT, outcome, now=NOW).values["divided"] is None


def test_a_part_that_is_given_up_or_waits_says_so_and_is_not_moved() -> None:
    assert ROWS.given_up(now=NOW) == Change(
        {"attention": "GAVE_UP", "advice": ADVICE[Attention.GAVE_UP], "updated_at": STAMP},
        appended={"history": [told("GAVE_UP")]},
    )
    assert ROWS.told("too dear", now=NOW) == Change({"words": "too dear", "updated_at": STAMP})
    assert Change({}) == Change({}, gone=(), added={})


# --- what has become known since --------------------------------------------------------------------------------

LOST = {"send_id": "s", "part": "1", "state": "UNCONFIRMED", "asked_at": "2026-11-23T10:00:00.000+08:00"}


def known_since(values: dict[str, Any]) -> Change:
    return Change(
        {**values, **DATED},
        gone=("code", "attention", "advice"),
        added={"revision": 1},
        appended={"history": [told(values["state"], words=values["words"])]},
    )


def test_an_inferred_acceptance_has_its_token_and_says_what_proved_it() -> None:
    assert ROWS.inferred(LOST, "377", now=NOW) == known_since(
        {
            "state": "ACCEPTED",
            "token": "377",
            "inferred": True,
            "accepted_at": LOST["asked_at"],
            "words": "Its answer was lost; the reports of token 377 prove that it was accepted.",
        }
    )


@pytest.mark.parametrize("accepted_at", [None, STAMP])
def test_an_acceptance_by_a_persons_word_keeps_the_moment_if_one_is_known(accepted_at: str | None) -> None:
    row = LOST | ({"state": "ACCEPTED", "accepted_at": accepted_at} if accepted_at else {})
    assert ROWS.confirmed(row, "377", now=NOW) == known_since(
        {
            "state": "ACCEPTED",
            "token": "377",
            "confirmed": True,
            "accepted_at": accepted_at or LOST["asked_at"],
            "words": "A person said that the platform accepted it under token 377.",
        }
    )


def test_what_was_not_accepted_by_a_persons_word_says_whose_and_how_to_send_it_anew() -> None:
    change = ROWS.denied(LOST, "王芳", now=NOW)
    words = (
        "王芳 said that the platform did not accept it. To send it anew, enqueue its mobiles under a new id, "
        "such as s-again."
    )
    assert change.values == {"state": "REJECTED", "denied": True, "words": words, **DATED}
    assert change.gone == ("code", "attention", "advice")
    assert change.added == {"revision": 1}


# --- who is sent to, and what has happened ----------------------------------------------------------------------


def test_a_claim_says_that_who_is_sent_to_is_written_down_if_it_is() -> None:
    claimed = ROWS.taken(SUBMIT, claim="A", asked=None, now=NOW, outbound=True)
    assert claimed.values["outbound"] is True
    assert "outbound" not in ROWS.taken(SUBMIT, claim="A", asked=None, now=NOW).values
    assert ROWS.told_outbound(now=NOW) == Change({"outbound": True, "updated_at": STAMP})


@pytest.mark.parametrize(("code", "goes_on"), [(0, False), (300, False), (1, True), (None, True)])
def test_a_result_says_so_too_if_the_part_goes_on(code: int | None, goes_on: bool) -> None:
    outcome = Outcome(None if code is None else Answer(code, token="376"), True, 3)
    for outbound in (True, False):
        change = ROWS.settled(WHOLE, SUBMIT, rule_for(outcome), outcome, now=NOW, outbound=outbound)
        assert ("outbound" in change.values) == (goes_on and outbound)


def histories_of(claims: int) -> list[list[dict[str, Any]]]:
    """How a row's history grows with so many requests, each answered with 1."""
    row: dict[str, Any] = {"state": "WAITING", "fingerprint": "f", "revision": 1}
    seen = []
    for number in range(claims):
        taken = ROWS.taken(
            Submit(f"T{number}", 1, 1, number), claim="A", asked=None, now=NOW, history=Standing.of(row).history
        )
        answered = settled(Answer(1, "later"))
        for change in (taken, answered):
            row |= change.values
            row["history"] = [*row.get("history", ()), *change.appended.get("history", ())]
            seen.append(row["history"])
    return seen


def test_a_row_keeps_its_last_20_events() -> None:
    histories = histories_of(15)
    assert max(map(len, histories)) == 20
    assert histories[-1] == [
        each
        for number in range(5, 15)
        for each in (told("SUBMITTING", timestamp=f"T{number}"), told("WAITING", code=1, words="later"))
    ]


def test_an_events_words_are_120_characters_at_the_most_and_none_where_all_is_well() -> None:
    assert events.event("X", {"code": 1, "words": "长" * 200}, now=NOW)["words"] == "长" * 120
    assert events.event("X", {"code": 0, "words": "操作成功"}, now=NOW) == told("X", code=0)
    assert events.event(State.WAITING, {"words": ""}, now=NOW) == told("WAITING")


def test_events_are_let_go_of_only_when_a_request_and_its_answer_have_no_room() -> None:
    eighteen = [told(str(number)) for number in range(18)]
    assert not events.too_many(eighteen)
    assert events.too_many([*eighteen, told("18")])
    assert events.latest([*eighteen, told("18")], told("new")) == [*eighteen[1:], told("18"), told("new")]
