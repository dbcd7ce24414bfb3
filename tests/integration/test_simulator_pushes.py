"""The simulator's pushes: again and again until ``0``, and every fault on the way."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest

from local.simulator.running import RunningSimulator, running_simulator
from tests import spec_samples
from tests.plain_client import ANY_MOBILE, post, state_code
from tests.plain_receiver import Receiver, receiver


@pytest.fixture
def customer() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def sim(customer: Receiver) -> Iterator[RunningSimulator]:
    with running_simulator(push_url=customer.url, push_delay=0, push_retry=0.02, balance=100_000) as running:
        yield running


def delivered(sim: RunningSimulator, reports: int = 0, mos: int = 0) -> None:
    """Wait until so many entries have been taken, and no other is on its way."""
    sim.wait_until(
        lambda sim: (
            sim.state()["pushes"]["delivered"] == {"report": reports, "mo": mos}
            and not any(sim.state()["pushes"]["in_flight"].values())
        )
    )


def test_a_parts_reports_come_as_a_form_with_the_push_account(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(failing_mobiles={"18930612517": "2:46"})
    token = post(sim.url, mobiles=[ANY_MOBILE, "18930612517"]).json()["token"]
    delivered(sim, reports=2)
    (push,) = customer.pushes
    assert (push.method, push.path) == ("POST", "/receive")
    assert push.content_type == "application/x-www-form-urlencoded; charset=UTF-8"
    assert (push.form["uid"], push.form["pwd"], push.form["type"]) == ("abc", "123", "report")
    assert push.entries == [
        {"token": token, "mobile": ANY_MOBILE, "resultCode": "DELIVER", "success": True},
        {"token": token, "mobile": "18930612517", "resultCode": "2:46", "success": False},
    ]


def test_the_specs_mos_are_pushed_as_in_the_specs_sample(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(push_delay=0.5)  # both go into one push
    for mo in json.loads(spec_samples.MO_JSON_DATA):
        sim.mo(mo["mobile"], mo["content"], mo["smgRecvDate"])
    delivered(sim, mos=2)
    assert [push.body for push in customer.pushes] == [spec_samples.MO_FORM]


def test_an_mo_carries_the_gateways_time_in_beijing(sim: RunningSimulator, customer: Receiver) -> None:
    sim.mo(ANY_MOBILE, "你好吗")
    delivered(sim, mos=1)
    received = datetime.strptime(customer.entries[0]["smgRecvDate"] + "+0800", "%Y-%m-%d %H:%M:%S%z")
    assert abs((datetime.now(received.tzinfo) - received).total_seconds()) < 60


def test_an_mo_carries_the_platforms_own_time(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(clock_ahead=3_600)
    sim.mo(ANY_MOBILE, "你好吗")
    delivered(sim, mos=1)
    received = datetime.strptime(customer.entries[0]["smgRecvDate"] + "+0800", "%Y-%m-%d %H:%M:%S%z")
    assert 3_500 < (received - datetime.now(received.tzinfo)).total_seconds() < 3_660


def test_a_handset_that_answers_pushes_its_mo_after_its_time(sim: RunningSimulator, customer: Receiver) -> None:
    sim.handset("*", answers=[{"match": "退订", "content": "TD", "seconds": 0.05}])
    for mobile, content in ((ANY_MOBILE, "特价，退订回TD"), ("18930612517", "验证码 123456")):
        post(sim.url, mobiles=[mobile], content=content)
    delivered(sim, reports=2, mos=1)
    (mo,) = [entry for push in customer.pushes if push.kind == "mo" for entry in push.entries]
    assert (mo["mobile"], mo["content"]) == (ANY_MOBILE, "TD")


def test_answers_to_texts_of_before_a_reset_never_come(sim: RunningSimulator, customer: Receiver) -> None:
    sim.handset("*", answers=[{"content": "late", "seconds": 0.2}, {"content": "never"}])
    post(sim.url)
    sim.reset()
    sim.handset("*", answers=[{"content": "soon", "seconds": 0.2}])
    post(sim.url)
    sim.wait_until(lambda sim: sim.mos())
    assert [mo.content for mo in sim.mos()] == ["soon"]


def test_a_handset_that_is_off_makes_its_reports_fail_until_it_is_on(
    sim: RunningSimulator, customer: Receiver
) -> None:
    sim.handset(ANY_MOBILE, off=True)
    post(sim.url)
    delivered(sim, reports=1)
    assert sim.wait_for_text(ANY_MOBILE, seconds=0) is None
    sim.handset(ANY_MOBILE)
    post(sim.url, content="again")
    delivered(sim, reports=2)
    found = sim.wait_for_text(ANY_MOBILE, "a.a")
    assert found is not None
    assert found.match == "aga"
    outcomes = [(entry["resultCode"], entry["success"]) for entry in customer.entries]
    assert outcomes == [("EXPIRED", False), ("DELIVER", True)]


def test_pushes_hold_no_more_than_a_batch(sim: RunningSimulator, customer: Receiver) -> None:
    mobiles = [f"13{number:09d}" for number in range(1_050)]
    post(sim.url, mobiles=mobiles)
    delivered(sim, reports=1_050)
    assert sorted(len(push.entries) for push in customer.pushes) == [50] + [100] * 10
    assert sorted(customer.mobiles()) == mobiles


@pytest.mark.parametrize(
    "refusal",
    [(500, b"retry"), (403, b"forbidden"), (200, b"00"), (200, b" 0"), (200, b"0\n"), (200, b""), (201, b"0")],
)
def test_a_push_is_repeated_until_the_answer_is_0_and_nothing_but_0(
    sim: RunningSimulator, customer: Receiver, refusal: tuple[int, bytes]
) -> None:
    customer.answer = lambda number: refusal if number <= 3 else (200, b"0")
    post(sim.url)
    delivered(sim, reports=1)
    assert len(customer.pushes) == 4
    assert len({push.body for push in customer.pushes}) == 1
    answers = [(attempt["status"], attempt["answer"]) for attempt in sim.push_attempts()]
    assert answers == [(refusal[0], refusal[1].decode())] * 3 + [(200, "0")]


def test_a_push_outlives_a_customer_who_is_away_and_finds_the_new_address(
    sim: RunningSimulator, customer: Receiver
) -> None:
    sim.change(push_url="http://127.0.0.1:9/receive")
    post(sim.url)
    sim.wait_until(lambda sim: sim.state()["pushes"]["attempts"] >= 2)
    sim.change(push_url=customer.url, push_pwd="456")
    delivered(sim, reports=1)
    assert customer.pushes[0].form["pwd"] == "456"


def test_without_a_push_url_reports_wait_for_one(customer: Receiver) -> None:
    with running_simulator(push_delay=0) as sim:
        post(sim.url)
        sim.mo(ANY_MOBILE, "你好吗")
        sim.wait_until(lambda sim: sim.state()["pushes"]["waiting"] == {"report": 1, "mo": 1})
        sim.change(push_url=customer.url)
        delivered(sim, reports=1, mos=1)


def test_one_endless_refusal_does_not_stop_other_pushes(sim: RunningSimulator, customer: Receiver) -> None:
    customer.answer = lambda number: (
        (400, b"no") if "poison" in customer.pushes[-1].form["jsonData"] else (200, b"0")
    )
    for _ in range(10):
        sim.mo(ANY_MOBILE, "poison")
        sim.wait_until(lambda sim: sim.state()["pushes"]["waiting"]["mo"] == 0)
    post(sim.url)
    sim.wait_until(lambda sim: sim.state()["pushes"]["delivered"]["report"] == 1)
    assert sim.state()["pushes"]["in_flight"] == {"report": 0, "mo": 10}


def test_tries_come_further_and_further_apart_up_to_a_cap(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(push_retry=0.02, push_retry_cap=0.08)
    customer.answer = lambda number: (500, b"retry") if number <= 9 else (200, b"0")
    post(sim.url)
    delivered(sim, reports=1)
    times = [datetime.fromisoformat(attempt["at"]) for attempt in sim.push_attempts()]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, [0.02, 0.04] + [0.08] * 7, strict=True))
    assert gaps[-1] < 2  # without the cap it were more than 5


def test_there_is_room_again_for_every_push_that_was_taken(
    customer: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.simulator.pushing._IN_FLIGHT", 2)
    with running_simulator(push_url=customer.url, push_delay=0, push_batch=1) as sim:
        sim.faults([{"do": "early", "nth": 2}])
        for mobiles in (["13000000001", "13000000002", "13000000003"], ["13000000004"] * 3):
            post(sim.url, mobiles=mobiles)
        delivered(sim, reports=6)


def test_long_messages_are_reported_by_the_piece_if_so_set(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(segment_reports="mixed", failing_mobiles={ANY_MOBILE: "2:46"})
    post(sim.url, content="好" * 71)
    delivered(sim, reports=2)
    assert [entry["success"] for entry in customer.entries] == [True, False]


# Faults


def test_a_push_is_duplicated_although_it_was_taken(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "duplicate", "copies": 2, "op": "report", "times": 1}])
    post(sim.url)
    delivered(sim, reports=1)
    assert len(customer.pushes) == 3
    assert len({push.body for push in customer.pushes}) == 1
    post(sim.url)
    delivered(sim, reports=2)
    assert len(customer.pushes) == 4
    assert sim.faults_applied() == {"duplicate": 1}


def test_a_push_is_overtaken_by_later_ones(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "reorder", "mobile": "13000000001", "behind": 2, "seconds": 30}])
    for number in (1, 2, 3):
        post(sim.url, mobiles=[f"1300000000{number}"])
        sim.wait_until(lambda sim: sim.state()["pushes"]["waiting"]["report"] == 0)
    delivered(sim, reports=3)
    assert customer.mobiles()[-1] == "13000000001"
    assert sim.faults_applied() == {"reorder": 1}


def test_an_overtaken_push_goes_by_itself_when_nothing_overtakes_it(
    sim: RunningSimulator, customer: Receiver
) -> None:
    sim.faults([{"do": "reorder", "seconds": 0.05}])
    mobiles = [f"130000000{number:02d}" for number in range(40)]
    post(sim.url, mobiles=mobiles)
    delivered(sim, reports=40)
    assert customer.mobiles() != mobiles
    assert sorted(customer.mobiles()) == mobiles


def test_a_push_is_held_back_until_released(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "hold", "times": 1}])
    post(sim.url, mobiles=["13000000001"])
    sim.wait_until(lambda sim: sim.state()["pushes"]["held_pushes"] == 1)
    post(sim.url, mobiles=["13000000002"])
    sim.wait_until(lambda sim: sim.state()["pushes"]["delivered"]["report"] == 1)
    assert customer.mobiles() == ["13000000002"]
    assert sim.release() == {"requests": 0, "pushes": 1}
    delivered(sim, reports=2)
    assert customer.mobiles() == ["13000000002", "13000000001"]


def test_a_push_is_held_back_for_a_while(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "hold", "seconds": 0.05}])
    sim.mo(ANY_MOBILE, "你好吗")
    delivered(sim, mos=1)
    assert sim.state()["pushes"]["held_pushes"] == 0
    assert sim.faults_applied() == {"hold": 1}


def test_reports_come_before_the_answer_that_names_their_token(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(push_delay=30)  # by themselves they would come too late for this test
    sim.faults([{"do": "early"}])
    token = post(sim.url, mobiles=[ANY_MOBILE, "18930612517"]).json()["token"]
    assert [(entry["token"], entry["mobile"]) for entry in customer.entries] == [
        (token, ANY_MOBILE),
        (token, "18930612517"),
    ]
    assert sim.faults_applied() == {"early": 1}


def test_reports_come_even_when_the_answer_never_does(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "early"}, {"do": "status", "when": "after"}])
    assert post(sim.url).status_code == 500
    assert customer.mobiles() == [ANY_MOBILE]
    assert sim.faults_applied() == {"early": 1, "status": 1}


def test_the_answer_does_not_wait_for_ever_for_early_reports(sim: RunningSimulator, customer: Receiver) -> None:
    customer.answer = lambda number: (500, b"retry")
    sim.faults([{"do": "early", "seconds": 0.05}])
    assert state_code(post(sim.url)) == 0
    customer.answer = lambda number: (200, b"0")
    delivered(sim, reports=1)


def test_a_late_requests_reports_are_pushed_too(sim: RunningSimulator, customer: Receiver) -> None:
    sim.faults([{"do": "late", "client": "hang", "seconds": 0.05}])
    with pytest.raises(OSError, match="timed out"):
        post(sim.url, seconds=0.02)
    delivered(sim, reports=1)


def test_a_reset_drops_what_waits_to_be_pushed(sim: RunningSimulator, customer: Receiver) -> None:
    customer.answer = lambda number: (500, b"retry")
    post(sim.url)
    sim.wait_until(lambda sim: sim.state()["pushes"]["attempts"] >= 1)
    sim.reset()
    customer.answer = lambda number: (200, b"0")
    seen = len(customer.pushes)
    sim.mo(ANY_MOBILE, "你好吗")
    delivered(sim, mos=1)
    assert [push.kind for push in customer.pushes[seen:]] == ["mo"]


def test_5000_reports_under_every_fault_are_all_taken(sim: RunningSimulator, customer: Receiver) -> None:
    sim.change(push_batch=50)
    sim.faults(
        [
            {"do": "duplicate", "chance": 0.1, "seed": 1},
            {"do": "reorder", "chance": 0.1, "seed": 2, "behind": 5, "seconds": 0.2},
            {"do": "hold", "chance": 0.1, "seed": 3, "seconds": 0.1},
            {"do": "early", "chance": 0.3, "seed": 4},
        ]
    )
    customer.answer = lambda number: (500, b"retry") if number % 7 == 0 else (200, b"0")
    mobiles = [f"13{number:09d}" for number in range(5_000)]
    for start in range(0, 5_000, 250):
        post(sim.url, mobiles=mobiles[start : start + 250])
    delivered(sim, reports=5_000)
    assert set(customer.mobiles()) == set(mobiles)
    assert {"duplicate", "reorder", "hold", "early"} <= sim.faults_applied().keys()
