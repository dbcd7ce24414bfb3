"""One request: why a part comes back, and what it looks at again when something took its time."""

from datetime import timedelta

import pytest

from kuaixintong.admission import Admission
from kuaixintong.core.beijing import iso
from kuaixintong.core.codes import Trouble
from kuaixintong.core.rails import Rails
from kuaixintong.errand import Again
from kuaixintong.stores.campaigns import Campaigns
from kuaixintong.stores.optouts import OptOutRows
from tests.sending import BODY, EIGHT, MOBILE, proven, refuse, rows_of, states
from tests.world import World

MARKETING = BODY | {"category": "marketing"}


def opts_out(world: World, mobile: str) -> None:
    OptOutRows(world.table("MobilesTable")).change(mobile, out=True, at=iso(world.now), by="mo")


# --- why it comes back ------------------------------------------------------------------------------------------


def test_a_refused_timestamp_brings_it_back_at_once(world: World) -> None:
    line = proven(world)
    line.fates += [230]
    assert world.deliver(BODY).again == Again(1.0, "timestamp refused")


@pytest.mark.parametrize(("code", "why"), [(1, "the platform asks to come later"), (240, Trouble.AUTHENTICATION)])
def test_what_the_platform_says_is_why_it_comes_back(world: World, code: int, why: str) -> None:
    line = proven(world)
    line.fates += [code]
    again = world.deliver(BODY).again
    assert again is not None
    assert again.why == why


def test_a_part_whose_slots_are_all_taken_never_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    line = proven(world)
    monkeypatch.setattr(Admission, "at_slot", lambda *_, **__: False)
    words = "All slots of the account's pace were taken."
    assert world.deliver(BODY).again == Again(1.0, words)
    (row,) = rows_of(world)
    assert (row["state"], row["words"], line.requests) == ("WAITING", words, [])


def test_a_part_is_asked_for_no_more_than_three_times_in_one_go(world: World) -> None:
    line = proven(world)
    passwords = iter(range(100))

    def changes() -> int:
        world.change_secret(f"{next(passwords)}")
        return 240

    line.always[MOBILE] = changes
    again = world.deliver(BODY).again
    assert again == Again(1.0, "it was asked for again and again")
    assert len(line.requests) == 3


def test_a_part_that_comes_too_fast_is_asked_for_twenty_times_in_one_go(world: World) -> None:
    line = proven(world)
    line.always[MOBILE] = 210
    again = world.deliver(BODY, seconds=10_000).again
    assert again == Again(1.0, "it was asked for again and again")
    assert len(line.requests) == 20


# --- what is looked at again ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "sent"), [(0, True), (6, False)])
def test_who_opts_out_while_a_slot_is_long_in_coming_is_left_out(world: World, seconds: float, sent: bool) -> None:
    line = proven(world)

    def changes_mind(call: int) -> None:
        if call == 0:
            world.pass_time(seconds=seconds)
            opts_out(world, MOBILE)

    world.happens("AccountTable.update", changes_mind)
    world.pass_time(seconds=2)  # what is known of the account is a second old at most
    world.deliver(MARKETING)
    assert bool(line.requests) is sent


@pytest.mark.parametrize(("seconds", "sent"), [(0, True), (21, False)])
def test_a_campaign_that_is_cancelled_while_a_claim_takes_long_is_not_sent(
    world: World, seconds: float, sent: bool
) -> None:
    line = proven(world)

    def cancelled(call: int) -> None:
        if call == 0:
            campaigns = Campaigns(world.table("CampaignsTable"), timedelta(days=180))
            campaigns.cancel("spring", now=world.now)
            world.pass_time(seconds=seconds)

    world.happens("SendsTable.put", cancelled)
    world.deliver(BODY | {"campaign": "spring"}, seconds=600)
    assert bool(line.requests) is sent
    assert states(world) == {"1": "ACCEPTED" if sent else "CANCELLED"}


# --- what its end says of its mobiles ---------------------------------------------------------------------------


def test_a_number_that_is_refused_by_itself_is_noted_for_the_next_list(world: World) -> None:
    world.rails = Rails(invalid_for=timedelta(days=30))
    proven(world)
    refuse(world, EIGHT[3])
    world.deliver(BODY | {"mobiles": EIGHT})
    assert states(world)["1"] == "SPLIT"
    assert {row["mobile"] for row in world.table("MobilesTable").rows.values()} == {EIGHT[3]}  # type: ignore[attr-defined]


def test_a_part_that_waits_keeps_what_it_has_of_the_days_limit(world: World) -> None:
    world.rails = Rails(daily_limit=3)
    line = proven(world)
    used = world.account()["day_cost"]
    line.fates += ["unsent"]
    first = world.deliver(BODY)
    assert first.again is not None
    assert world.account()["day_cost"] == used + 1
    world.pass_time(seconds=first.again.delay + 1)
    assert world.deliver(BODY, receive_count=2).again is None
    assert states(world) == {"1": "ACCEPTED"}
    assert world.account()["day_cost"] == used + 1  # it was charged once
