"""Cancel: what is still ours is ended, of everything else it is told how it stands, and nothing is both."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kuaixintong.cancel import Canceller, StoppedCampaign
from kuaixintong.core.ledger import State
from kuaixintong.stores.campaigns import Campaigns
from tests.fake_platform import Fate, Line
from tests.sending import BODY, EIGHT, IN_AN_HOUR, MORE_THAN_ONE_PART, fails, refuse, rows_of, states
from tests.stopping import canceller
from tests.world import LEASE, World

SEND = BODY | {"id": "send"}
HELD = SEND | {"atTime": IN_AN_HOUR, "hold": True}


def cancels(world: World, send_id: str = "send") -> Callable[[int], None]:
    """What happens at a gate: the send is cancelled there, once."""

    def act(call: int) -> None:
        if call == 0:
            canceller(world).cancel(send_id)

    return act


# --- a send that nobody has seen --------------------------------------------------------------------------------


def test_a_send_that_nobody_has_seen_gets_a_row_without_a_payload(world: World) -> None:
    assert canceller(world).cancel("send").parts == {"1": State.CANCELLED}
    row = world.row("send")
    assert row["state"] == "CANCELLED"
    assert not {"mobiles", "content", "fingerprint"} & row.keys()
    assert row["expires_at"] == int((world.now + timedelta(days=180)).timestamp())


@pytest.mark.parametrize(
    "body", [SEND, HELD, SEND | {"mobiles": EIGHT}, SEND | {"mobiles": [*MORE_THAN_ONE_PART, "x"]}]
)
def test_what_comes_under_its_id_joins_it_with_all_its_parts(
    world: World, line: Line, body: dict[str, Any]
) -> None:
    canceller(world).cancel("send")
    for count in (1, 2):
        assert world.deliver(body, receive_count=count).again is None
    assert {*states(world, "send").values()} == {"CANCELLED"}
    assert line.requests == []
    held = [mobile for row in rows_of(world, "send") for mobile in row["mobiles"]]
    assert held == [each for each in body["mobiles"] if each != "x"]
    again = canceller(world).cancel("send")
    assert {*again.parts.values()} == {State.CANCELLED}


def test_a_worker_that_dies_while_its_send_joins_leaves_no_part_to_be_sent(world: World, line: Line) -> None:
    body = SEND | {"mobiles": MORE_THAN_ONE_PART}
    canceller(world).cancel("send")
    dying = [call for call in range(1, 9) if world.dies_before(call, body, message_id="m-1")]
    assert dying
    world.deliver_until_done(body)
    assert (states(world, "send"), line.requests) == ({"1": "CANCELLED", "2": "CANCELLED"}, [])


def test_another_payload_under_the_id_is_a_conflict_as_ever(world: World, line: Line) -> None:
    canceller(world).cancel("send")
    world.deliver(SEND)
    world.deliver(SEND | {"content": "another"}, message_id="m-2")
    assert (states(world, "send"), states(world, "m-2")) == ({"1": "CANCELLED"}, {"1": "REJECTED"})


def test_a_refused_body_stays_refused_and_the_mended_one_joins_the_cancel(world: World, line: Line) -> None:
    world.deliver(SEND | {"content": ""}, message_id="m-1")
    assert canceller(world).cancel("send").parts == {"1": State.REJECTED}
    world.deliver(SEND | {"content": ""}, message_id="m-1")  # a late copy undoes nothing
    world.deliver(SEND | {"mobiles": [""], "content": ""}, message_id="m-2")  # nor does another fault
    assert states(world, "send") == {"1": "REJECTED"}
    world.deliver(SEND | {"mobiles": MORE_THAN_ONE_PART}, message_id="m-3")
    assert states(world, "send") == {"1": "CANCELLED", "2": "CANCELLED"}
    assert line.requests == []


def test_a_body_that_is_refused_does_not_undo_a_cancel(world: World, line: Line) -> None:
    canceller(world).cancel("send")
    world.deliver(SEND | {"content": ""}, message_id="m-1")
    assert (states(world, "send"), states(world, "m-1")) == ({"1": "CANCELLED"}, {"1": "REJECTED"})
    world.deliver(SEND, message_id="m-2")
    assert (states(world, "send"), line.requests) == ({"1": "CANCELLED"}, [])


# --- a part that nobody holds -----------------------------------------------------------------------------------


def test_a_part_that_waits_is_cancelled_and_its_message_finds_nothing_to_do(world: World, line: Line) -> None:
    world.platform.change({"account_disabled": True})
    world.deliver(SEND)
    assert states(world, "send") == {"1": "WAITING"}
    assert canceller(world).cancel("send").parts == {"1": State.CANCELLED}
    world.platform.change({"account_disabled": False})
    world.now += timedelta(hours=1)
    assert world.deliver(SEND, receive_count=2).again is None
    assert (states(world, "send"), world.accepted()) == ({"1": "CANCELLED"}, [])


def test_a_held_send_is_cancelled_and_is_due_no_more(world: World, line: Line) -> None:
    world.deliver(HELD)
    assert canceller(world).cancel("send").parts == {"1": State.CANCELLED}
    assert not {"due_at", "due_shard", "waits_until"} & world.row("send").keys()


def test_the_text_that_a_held_send_was_lent_goes_when_it_is_cancelled() -> None:
    discreet = World(store_content=False)
    discreet.deliver(HELD)
    canceller(discreet).cancel("send")
    assert not {"content", "content_lent"} & discreet.row("send").keys()


def test_what_is_at_its_end_stands(world: World, line: Line) -> None:
    world.deliver(SEND)
    row = world.row("send")
    assert canceller(world).cancel("send").parts == {"1": State.ACCEPTED}
    assert world.row("send") == row


def test_a_part_whose_worker_died_with_a_request_is_in_doubt(world: World, line: Line) -> None:
    assert world.dies_before(1, SEND, of="platform.ask")
    world.now += LEASE
    stopped = canceller(world).cancel("send")
    assert stopped.parts == {"1": State.UNCONFIRMED}
    row = world.row("send")
    assert (row["attention"], row["words"].startswith("Cancelled ")) == ("UNCONFIRMED", True)


@pytest.mark.parametrize("body", ["whole", "half"])
def test_whom_the_rails_had_left_out_of_a_request_in_doubt_is_listed(world: World, line: Line, body: str) -> None:
    world.allowed = frozenset(EIGHT[1:])
    if body == "half":
        refuse(world, EIGHT[7])
        line.fates.append("well")  # 310: the first half's request is the one that is never answered
    line.fates.append("never")
    assert world.deliver(SEND | {"mobiles": EIGHT}).again
    world.now += LEASE
    stopped = canceller(world).cancel("send")
    [row] = [each for each in rows_of(world, "send") if each["state"] == "UNCONFIRMED"]
    assert stopped.parts[row["part"]] is State.UNCONFIRMED
    assert row["mobiles"] == (EIGHT[1:4] if body == "half" else EIGHT[1:])
    assert [each["mobile"] for each in row["invalid_mobiles"]] == [EIGHT[0]]
    assert "left_out" not in row


def test_the_parts_that_a_send_has_still_to_note_are_cancelled_before_they_come(world: World, line: Line) -> None:
    # Between the first part's row and the second's.
    world.happens("SendsTable.put", cancels(world), after=True)
    body = SEND | {"mobiles": MORE_THAN_ONE_PART}
    world.deliver_until_done(body)
    assert (states(world, "send"), line.requests) == ({"1": "CANCELLED", "2": "CANCELLED"}, [])
    assert [len(row["mobiles"]) for row in rows_of(world, "send")] == [10_000, 1]


# --- a part whose request is out --------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[Fate, str]] = {
    "an acceptance": ("well", "ACCEPTED"),
    "a refusal of the content": (300, "REJECTED"),
    "a disagreement on the protocol": (110, "REJECTED"),
    "a 230 on a repeated timestamp cannot come here: on the first use it waits": (230, "CANCELLED"),
    "come later": (1, "CANCELLED"),
    "too fast": (210, "CANCELLED"),
    "a disabled account": (250, "CANCELLED"),
    "a wrong password": (200, "CANCELLED"),
    "no balance": (400, "CANCELLED"),
    "nothing, and it never left": ("unsent", "CANCELLED"),
    "nothing": ("lost", "UNCONFIRMED"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_cancel_during_a_request_costs_the_owner_nothing_and_ends_what_would_go_on(
    world: World, line: Line, case: str
) -> None:
    fate, state = ANSWERS[case]
    world.happens("platform.ask", cancels(world))
    line.fates.append(fate)
    assert world.deliver(SEND).again is None
    assert states(world, "send") == {"1": state}
    again = canceller(world).cancel("send")
    assert again.parts == {"1": State(state)}
    world.now += timedelta(hours=1)
    world.deliver(SEND, receive_count=2)
    assert len(line.requests) == 1
    assert states(world, "send") == {"1": state}


def test_the_note_is_told_and_takes_no_revision(world: World, line: Line) -> None:
    seen: list[Any] = []

    def act(_: int) -> None:
        before = world.row("send")
        seen.append((before, canceller(world).cancel("send"), world.row("send"), canceller(world).cancel("send")))

    world.happens("platform.ask", act)
    world.deliver(SEND)
    [(before, first, after, second)] = seen
    assert after == before | {"cancelled_at": after["cancelled_at"]}
    for stopped in (first, second):
        assert (stopped.parts, stopped.under_way) == ({"1": State.SUBMITTING}, {"1"})
    assert states(world, "send") == {"1": "ACCEPTED"}


def test_the_halves_of_a_310_are_born_cancelled(world: World, line: Line) -> None:
    refuse(world, EIGHT[3])
    world.happens("platform.ask", cancels(world))
    assert world.deliver(SEND | {"mobiles": EIGHT}).again is None
    assert states(world, "send") == {"1": "SPLIT", "1.1": "CANCELLED", "1.2": "CANCELLED"}
    assert [row.get("mobiles") for row in rows_of(world, "send")] == [None, EIGHT[:4], EIGHT[4:]]
    assert (len(line.requests), world.accepted()) == (1, [])


def test_a_cancel_after_a_310_ends_the_halves_with_their_mobiles(world: World, line: Line) -> None:
    refuse(world, EIGHT[3])
    world.happens("SendsTable.transact", cancels(world), after=True)
    world.deliver_until_done(SEND | {"mobiles": EIGHT})
    assert states(world, "send") == {"1": "SPLIT", "1.1": "CANCELLED", "1.2": "CANCELLED"}
    assert [row.get("mobiles") for row in rows_of(world, "send")] == [None, EIGHT[:4], EIGHT[4:]]


def test_a_part_that_is_put_back_without_a_slot_is_cancelled(world: World, line: Line) -> None:
    body = SEND | {"validUntil": "2026-11-23 12:00:30"}

    def late(call: int) -> None:
        canceller(world).cancel("send")
        world.pass_time(seconds=31)

    world.happens("SendsTable.put", late, after=True)
    world.deliver(body)
    assert states(world, "send") == {"1": "EXPIRED"}  # as ever: its time was over before its request went out


@pytest.mark.parametrize("who", ["the next delivery", "the next cancel"])
def test_when_the_owner_dies_beside_the_note_the_next_ends_it(world: World, line: Line, who: str) -> None:
    world.happens("platform.ask", cancels(world))
    assert world.dies_before(1, SEND, of="platform.ask")
    stopped = canceller(world).cancel("send")
    assert stopped.under_way == {"1"} or states(world, "send") == {"1": "SUBMITTING"}
    world.now += LEASE + timedelta(seconds=1)
    if who == "the next delivery":
        assert world.deliver(SEND, receive_count=2).again is None
    else:
        assert canceller(world).cancel("send").parts == {"1": State.UNCONFIRMED}
    assert states(world, "send") == {"1": "UNCONFIRMED"}
    assert world.accepted() == []


def test_a_clock_that_is_ahead_does_not_take_a_living_owner_for_dead(world: World, line: Line) -> None:
    hour = timedelta(hours=1)

    def act(_: int) -> None:
        fast = Canceller(
            world.table("SendsTable"),
            world.table("CampaignsTable"),
            clock=lambda: world.now + hour,
            ahead=hour.total_seconds,
        )
        assert fast.cancel("send").under_way == {"1"}

    world.happens("platform.ask", act)
    world.deliver(SEND)
    assert states(world, "send") == {"1": "ACCEPTED"}


# --- between a decision and its write ---------------------------------------------------------------------------


BODIES = {
    "to one": SEND,
    "of two parts": SEND | {"mobiles": MORE_THAN_ONE_PART},
    "that a 310 divides": SEND | {"mobiles": EIGHT},
}


@pytest.mark.parametrize("body", BODIES)
def test_a_cancel_before_any_call_of_a_worker_leaves_each_part_cancelled_or_accepted(body: str) -> None:
    seen: Counter[str] = Counter()
    for call in range(1, 60):
        world = World()
        if body == "that a 310 divides":
            refuse(world, EIGHT[3])
        if not cancelled_before(world, call, BODIES[body]):
            break
        accepted = Counter(world.accepted())
        assert max(accepted.values(), default=1) == 1
        for row in rows_of(world, "send"):
            if row["state"] in ("ACCEPTED", "CANCELLED"):
                assert all(accepted[mobile] == (row["state"] == "ACCEPTED") for mobile in row["mobiles"])
        seen.update(states(world, "send").values())
    assert seen.keys() <= {"ACCEPTED", "CANCELLED", "SPLIT", "REJECTED"}
    assert {"ACCEPTED", "CANCELLED"} <= seen.keys()


def cancelled_before(world: World, call: int, body: dict[str, Any]) -> bool:
    """Deliver a send that is cancelled before the n-th call of its worker; whether it made so many."""

    def act(number: int) -> None:
        if number == call - 1:
            canceller(world).cancel("send")

    calls = world.happens("[!O]*", act)  # who is sent to is written down in hundreds of calls
    world.deliver_until_done(body)
    return calls.count >= call


# --- a campaign -------------------------------------------------------------------------------------------------


def of_campaign(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        BODY | {"id": f"c-{number}", "mobiles": [f"138{number:08}"], "campaign": "spring"} | changes
        for number in range(count)
    ]


def test_a_campaign_is_cancelled_as_far_as_it_has_come(world: World, line: Line) -> None:
    bodies = of_campaign(6)
    for number, body in enumerate(bodies[:2]):
        world.deliver(body, message_id=f"m-{number}")
    world.deliver(bodies[2] | {"atTime": IN_AN_HOUR, "hold": True}, message_id="m-2")
    told: list[StoppedCampaign] = []
    began = world.now
    stopped = canceller(world).cancel_campaign("spring", progress=told.append)
    assert (stopped.campaign, stopped.states) == ("spring", {State.ACCEPTED: 2, State.CANCELLED: 1})
    assert (told[-1], stopped.since) == (stopped, began)
    assert timedelta(seconds=30) <= world.now - began <= timedelta(seconds=40)
    for number, body in enumerate(bodies[3:], start=3):  # what comes after the mark
        assert world.deliver(body, message_id=f"m-{number}").again is None
    world.deliver(bodies[2] | {"id": "later", "atTime": "2026-11-24 12:00:00", "hold": True}, message_id="m-9")
    assert Counter(row["state"] for row in world.all_rows() if row["send_id"] != "warm-up") == {
        "ACCEPTED": 2,
        "CANCELLED": 5,
    }
    assert len(line.requests) == 2


def test_a_campaign_that_nobody_has_named_can_be_cancelled(world: World, line: Line) -> None:
    assert canceller(world).cancel_campaign("spring").states == {}
    world.deliver(of_campaign(1)[0] | {"mobiles": MORE_THAN_ONE_PART})
    assert (states(world, "c-0"), line.requests) == ({"1": "CANCELLED", "2": "CANCELLED"}, [])
    row = world.table("CampaignsTable").get({"campaign": "spring"}) or {}
    assert (row["source"], "cancelled_at" in row) == ("cancel", True)


def test_a_second_cancel_keeps_the_moment_of_the_first(world: World, line: Line) -> None:
    first = canceller(world).cancel_campaign("spring")
    world.now += timedelta(hours=1)
    assert canceller(world).cancel_campaign("spring").since == first.since


def test_the_call_waits_for_a_request_that_is_out(world: World, line: Line) -> None:
    stopped: list[StoppedCampaign] = []

    def act(_: int) -> None:
        one = canceller(world)

        def answered_meanwhile(seconds: float) -> None:
            world.pass_time(seconds=seconds)
            if world.now - began > timedelta(seconds=60):
                raise StopIteration

        one._sleep = answered_meanwhile
        began = world.now
        with pytest.raises(StopIteration):
            stopped.append(one.cancel_campaign("spring"))

    world.happens("platform.ask", act)
    world.deliver(of_campaign(1)[0], seconds=600)
    assert stopped == []  # for as long as it was out
    assert canceller(world).cancel_campaign("spring").states == {State.ACCEPTED: 1}


def test_a_part_that_was_born_beside_the_mark_is_ended_by_the_last_listing(world: World, line: Line) -> None:
    # A worker has read the campaign before it was marked, and claims its part only now; then it dies.
    assert world.dies_before(1, of_campaign(1)[0], of="platform.ask")
    world.now += LEASE + timedelta(seconds=1)
    table = world.table("SendsTable")
    hidden = {"index": True}
    query = table.query

    def lagging(name: str, value: str, **how: Any) -> Any:
        rows = query(name, value, **how)
        return iter(()) if how.get("index") and hidden["index"] else rows

    table.query = lagging  # type: ignore[method-assign]
    one = canceller(world)

    def pass_time(seconds: float) -> None:
        world.pass_time(seconds=seconds)
        hidden["index"] = False

    one._sleep = pass_time
    assert one.cancel_campaign("spring").states == {State.UNCONFIRMED: 1}


@pytest.mark.parametrize(("seconds", "state"), [(19, "ACCEPTED"), (21, "CANCELLED")])
def test_a_claim_that_took_too_long_to_be_listed_looks_at_the_mark_again(
    world: World, line: Line, seconds: float, state: str
) -> None:
    def slow(_: int) -> None:
        world.pass_time(seconds=seconds)
        Campaigns(world.table("CampaignsTable"), timedelta(days=180)).cancel("spring", now=world.now)

    world.happens("SendsTable.put", slow, after=True)
    world.deliver(of_campaign(1)[0], seconds=60)
    assert states(world, "c-0") == {"1": state}
    assert len(world.accepted()) == (state == "ACCEPTED")


def test_a_campaigns_send_costs_one_read_more_and_others_none(world: World, line: Line) -> None:
    looks = world.happens("CampaignsTable.*", lambda _: None)
    world.deliver(BODY)
    assert looks.count == 0
    world.deliver(of_campaign(1)[0], message_id="m-2")
    named = looks.count
    world.deliver(of_campaign(2)[1], message_id="m-3")
    assert looks.count - named == 1


def test_a_held_send_names_its_campaign(world: World, line: Line) -> None:
    world.deliver(of_campaign(1)[0] | {"atTime": IN_AN_HOUR, "hold": True})
    row = world.table("CampaignsTable").get({"campaign": "spring"}) or {}
    assert (row["source"], row["day"]) == ("queue", "2026-11-23")


def test_a_table_that_fails_for_a_moment_does_not_stop_a_cancel(world: World, line: Line) -> None:
    world.deliver(HELD)
    table = world.table("SendsTable")
    update, tries = table.update, iter((fails, fails))

    def sometimes(*values: Any, **how: Any) -> Any:
        next(tries, lambda: None)()
        return update(*values, **how)

    table.update = sometimes  # type: ignore[method-assign]
    assert canceller(world).cancel("send").parts == {"1": State.CANCELLED}


def test_a_cancel_that_is_cut_off_can_be_made_again(world: World, line: Line) -> None:
    world.deliver(of_campaign(1)[0] | {"atTime": IN_AN_HOUR, "hold": True})
    cut_off = canceller(world)

    def dies(_: float) -> None:
        raise KeyboardInterrupt

    cut_off._sleep = dies
    with pytest.raises(KeyboardInterrupt):
        cut_off.cancel_campaign("spring")
    assert canceller(world).cancel_campaign("spring").states == {State.CANCELLED: 1}
