"""The secret: a changed one is taken up at once, a wrong one pauses the account, another account starts anew."""

import json

import pytest

from kuaixintong.core.codes import Trouble
from local.simulator.settings import Memory
from tests.fake_platform import Line
from tests.sending import (
    BODY,
    MOBILE,
    states,
)
from tests.world import CID, PWD, UID, World


@pytest.mark.parametrize("code", [200, 240])
def test_a_changed_secret_is_taken_up_at_once_and_without_a_pause(world: World, line: Line, code: int) -> None:
    world.platform.change({"pwd": "new", "timestamps": Memory.EVERY})
    world.change_secret("new")
    if code == 200:
        line.fates += [200]
    delivery = world.deliver(BODY)
    assert delivery.again is None
    assert not delivery.pauses
    assert world.accepted() == [MOBILE]
    assert len({*line.timestamps}) == 2
    assert "pause_reason" not in world.account()
    assert world.row()["attempts"] == 2


def test_a_wrong_password_pauses_the_account_until_the_secret_is_put_right(world: World, line: Line) -> None:
    world.platform.change({"pwd": "new"})
    first = world.deliver(BODY)
    assert first.pauses == {Trouble.AUTHENTICATION: 1}
    assert states(world) == {"1": "WAITING"}
    world.change_secret("new")
    assert world.deliver(BODY, receive_count=2).again  # the pause holds until its time
    assert len(line.requests) == 1
    world.pass_time(seconds=61)  # less than the five minutes for which a secret is cached
    assert world.deliver(BODY, receive_count=3).again is None
    assert (world.accepted(), len(line.requests)) == ([MOBILE], 2)


def test_a_secret_that_keeps_changing_is_not_followed_for_ever(world: World, line: Line) -> None:
    world.platform.change({"pwd": "yet another"})
    line.fates += [lambda: world.change_secret(f"wrong {len(line.requests)}")] * 10
    delivery = world.deliver(BODY)
    assert delivery.again
    assert len(line.requests) == 3
    assert states(world) == {"1": "WAITING"}


@pytest.mark.parametrize("secret", ["no JSON", "{}"])
def test_an_unusable_secret_keeps_messages_in_the_queue_without_a_call(world: World, secret: str) -> None:
    world.secrets.put_secret_value(SecretId=world.secret_arn, SecretString=secret)
    delivery = world.deliver(BODY)
    assert delivery.again
    assert delivery.again.why.startswith("CredentialsUnusable: ")
    assert world.line.requests == []
    world.change_secret(PWD)
    assert world.deliver_until_done(BODY) == 1


def change_account(world: World) -> None:
    world.platform.change({"cid": "87654321"})
    values = {"cid": "87654321", "uid": UID, "pwd": PWD}
    world.secrets.put_secret_value(SecretId=world.secret_arn, SecretString=json.dumps(values))
    world.sender = world.new_sender()


def test_another_account_is_not_asked_with_a_timestamp_that_it_cannot_know(world: World, line: Line) -> None:
    line.fates += ["lost"]
    world.deliver(BODY)
    change_account(world)
    assert world.deliver(BODY, receive_count=2).again is None
    assert (len(line.requests), world.accepted()) == (1, [MOBILE])
    row = world.row()
    assert (row["state"], row["attention"]) == ("UNCONFIRMED", "UNCONFIRMED")
    assert "87654321" in row["words"]
    assert CID in row["words"]


def test_another_account_takes_over_what_the_first_has_answered(world: World, line: Line) -> None:
    line.fates += [1]
    world.deliver(BODY)
    change_account(world)
    world.pass_time(seconds=1)  # the platform of these tests remembers timestamps whoever's they are
    assert world.deliver(BODY, receive_count=2).again is None
    assert (states(world), line.requests[-1]["cid"]) == ({"1": "ACCEPTED"}, "87654321")


@pytest.mark.xfail(reason="each asks once with what it has read, and may probe in a pause that is a second old")
def test_workers_that_have_all_read_an_older_secret_do_not_try_it_one_after_the_other(world: World) -> None:
    warm = [world.new_sender() for _ in range(9)]
    for number, worker in enumerate(warm):
        world.sender = worker
        world.deliver(BODY, message_id=f"warm-up-{number}")
    world.line.requests.clear()
    world.platform.change({"pwd": "another"})
    world.change_secret("wrong, too")
    world.table("AccountTable").put({"cid": CID})  # nothing is known of the account: somebody has to probe
    world.pass_time(seconds=2)
    waiting = iter(enumerate(warm))

    def let_the_next_one_in(_: int) -> None:
        if "probe_until" not in world.account() and (following := next(waiting, None)):
            number, world.sender = following
            world.deliver(BODY, message_id=f"m-{number}")

    # Whoever has learnt nothing gives the right to probe back; the next worker takes it before this one asks on.
    world.happens("AccountTable.update", let_the_next_one_in, after=True)
    let_the_next_one_in(0)
    assert world.account()["pause_reason"] == "authentication"
    assert len(world.line.requests) <= 5
