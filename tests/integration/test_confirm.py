"""A person settles a part whose end only the platform's staff knows, and nothing else."""

from datetime import timedelta
from typing import Any

import boto3
import pytest

from kuaixintong import confirm
from kuaixintong.confirm import Confirmer
from kuaixintong.core.errors import NotConfirmed
from kuaixintong.core.inference import SETTLED
from kuaixintong.settings import ConfirmSettings
from kuaixintong.stores.parts import Parts
from kuaixintong.wiring.confirming import confirmer_of
from tests.gates import gated
from tests.sending import BODY, MOBILE, proven
from tests.world import CID, DynamoWorld, World

BY = "王芳"


@pytest.fixture
def world() -> World:
    world = World()
    proven(world)
    return world


def confirmer(world: World) -> Confirmer:
    return Confirmer(Parts(world.table("SendsTable")), world.rows(), lambda: world.now)


def unconfirmed(world: World, send_id: str = "s") -> dict[str, Any]:
    """A part that was accepted, and whose answer was lost."""
    world.line.fates.extend(["lost", 230])
    world.deliver_until_done(BODY | {"id": send_id})
    row = world.row(send_id)
    assert row["state"] == "UNCONFIRMED"
    return row


# --- accepted ----------------------------------------------------------------------------------------------------


def test_what_was_accepted_gets_its_token_and_needs_nobody_any_more(world: World) -> None:
    before = unconfirmed(world)
    world.pass_time(hours=1)
    confirmer(world).accepted("s", "1", "377")
    row = world.row("s")
    assert (row["state"], row["token"], row["confirmed"]) == ("ACCEPTED", "377", True)
    assert row["accepted_at"] == before["asked_at"]
    assert row["revision"] == before["revision"] + 1
    assert row["expires_at"] == before["expires_at"] + 3600
    assert not {"attention", "advice", "code"} & row.keys()
    assert "377" in row["words"]
    assert [each["send_id"] for each in world.table("SendsTable").query("token", "377", index="by-token")] == ["s"]


def test_the_same_word_twice_is_one(world: World) -> None:
    unconfirmed(world)
    confirmer(world).accepted("s", "1", "377")
    row = world.row("s")
    confirmer(world).accepted("s", "1", "377")
    assert world.row("s") == row


def test_a_token_of_another_part_is_refused(world: World) -> None:
    unconfirmed(world)
    world.deliver(BODY | {"id": "other"})
    token = world.row("other")["token"]
    before = world.row("s")
    with pytest.raises(NotConfirmed, match=f"Token {token} is that of part 1 of other; no two parts share one"):
        confirmer(world).accepted("s", "1", token)
    assert world.row("s") == before


@pytest.mark.parametrize("token", ["", "37x", "٣٧", "1" * 21, " 377"])
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    before = unconfirmed(world)
    with pytest.raises(NotConfirmed, match="is no token"):
        confirmer(world).accepted("s", "1", token)
    assert world.row("s") == before


def test_what_has_ended_otherwise_cannot_be_accepted_by_word(world: World) -> None:
    world.deliver(BODY | {"id": "fine"})
    world.line.fates.append(300)
    world.deliver(BODY | {"id": "refused"})
    world.line.fates.append(1)
    world.deliver(BODY | {"id": "waiting"})
    for send_id, told in (("fine", "ACCEPTED with token"), ("refused", "REJECTED"), ("waiting", "WAITING")):
        before = world.row(send_id)
        with pytest.raises(NotConfirmed, match=f"Part 1 of {send_id} is {told}"):
            confirmer(world).accepted(send_id, "1", "999")
        assert world.row(send_id) == before


def test_of_a_part_that_is_not_there_nothing_is_written(world: World) -> None:
    with pytest.raises(NotConfirmed, match="no such part"):
        confirmer(world).accepted("nobody", "1", "377")
    with pytest.raises(NotConfirmed, match="no such part"):
        confirmer(world).not_accepted("nobody", "1", BY)
    assert world.table("SendsTable").get({"send_id": "nobody", "part": "1"}) is None


# --- not accepted ------------------------------------------------------------------------------------------------


def test_what_was_not_accepted_is_rejected_and_says_who_said_so_and_what_to_do(world: World) -> None:
    before = unconfirmed(world)
    confirmer(world).not_accepted("s", "1", f" {BY} ")
    row = world.row("s")
    assert (row["state"], row["denied"], row["mobiles"]) == ("REJECTED", True, [MOBILE])
    assert row["words"].startswith(f"{BY} said that the platform did not accept it. ")
    assert "under a new id, such as s-again" in row["words"]
    assert (row["timestamp"], row["revision"]) == (before["timestamp"], before["revision"] + 1)
    assert not {"attention", "advice", "code", "token"} & row.keys()
    confirmer(world).not_accepted("s", "1", "somebody else")
    assert world.row("s") == row


def test_it_is_not_sent_again_by_its_own_message(world: World) -> None:
    unconfirmed(world)
    confirmer(world).not_accepted("s", "1", BY)
    requests = len(world.line.requests)
    world.deliver(BODY | {"id": "s"}, receive_count=9)
    assert len(world.line.requests) == requests


@pytest.mark.parametrize("by", ["", "  ", "x" * 101])
def test_it_has_to_be_told_who_says_so(world: World, by: str) -> None:
    before = unconfirmed(world)
    with pytest.raises(NotConfirmed, match="says so"):
        confirmer(world).not_accepted("s", "1", by)
    assert world.row("s") == before


def test_what_the_platform_itself_accepted_cannot_be_denied(world: World) -> None:
    world.deliver(BODY | {"id": "s"})
    before = world.row("s")
    with pytest.raises(NotConfirmed, match="only what is UNCONFIRMED can be said not to be accepted"):
        confirmer(world).not_accepted("s", "1", BY)
    assert world.row("s") == before


# --- accepted without a token ------------------------------------------------------------------------------------


def test_a_part_without_a_token_gets_it_and_cannot_be_denied(world: World) -> None:
    world.line.fates.append(0)  # and no more than that: the platform has not acted
    world.deliver(BODY | {"id": "s"})
    before = world.row("s")
    assert (before["state"], before["attention"]) == ("ACCEPTED", "NO_TOKEN")
    world.pass_time(hours=1)
    with pytest.raises(NotConfirmed, match="its token alone is missing"):
        confirmer(world).not_accepted("s", "1", BY)
    confirmer(world).accepted("s", "1", "377")
    row = world.row("s")
    assert (row["state"], row["token"]) == ("ACCEPTED", "377")
    assert row["accepted_at"] == before["accepted_at"]
    assert "attention" not in row


# --- what happens meanwhile --------------------------------------------------------------------------------------


def test_a_word_on_a_row_that_moves_meanwhile_is_judged_anew(world: World) -> None:
    unconfirmed(world)

    def somebody_else(call: int) -> None:
        if call == 0:
            world.gates.up.clear()
            confirmer(world).not_accepted("s", "1", "quicker")

    table = world.table("SendsTable")
    world.happens("SendsTable.update", somebody_else)
    slow = Confirmer(Parts(gated(table, "SendsTable", world.gates)), world.rows(), lambda: world.now)
    with pytest.raises(NotConfirmed, match="Part 1 of s is REJECTED"):
        slow.accepted("s", "1", "377")
    assert world.row("s")["words"].startswith("quicker")


def test_a_denied_part_leaves_no_other_to_be_inferred_from_its_reports(world: World) -> None:
    unconfirmed(world, "denied")
    [message] = world.platform.messages
    confirmer(world).not_accepted("denied", "1", BY)
    unconfirmed(world, "other")
    world.push(message)
    world.now += SETTLED
    assert world.new_healing().run(CID).inferred == []


# --- with the tables that the environment names ------------------------------------------------------------------


def test_the_table_is_the_one_that_the_environment_names(
    moto_world: DynamoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    unconfirmed(moto_world)
    monkeypatch.setenv("SENDS_TABLE", moto_world.tables["SendsTable"])
    monkeypatch.setenv("RETENTION_DAYS", "180")
    confirm.confirmer.cache_clear()
    confirm.confirmer().accepted("s", "1", "377")
    confirm.confirmer.cache_clear()
    assert moto_world.row("s")["token"] == "377"
    settings = ConfirmSettings(moto_world.tables["SendsTable"], timedelta(days=180))
    with pytest.raises(NotConfirmed, match="ACCEPTED with token 377"):
        confirmer_of(settings, boto3.client("dynamodb")).not_accepted("s", "1", BY)
