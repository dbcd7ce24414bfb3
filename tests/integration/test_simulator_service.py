"""The simulator over HTTP: every state code, and every fault on both sides of the platform's acting."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from local.simulator.running import RunningSimulator, running_simulator
from tests import plain_client, spec_samples
from tests.plain_client import post, signed, state_code

UNREADABLE = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def sim(shared: RunningSimulator) -> RunningSimulator:
    shared.reset()
    return shared


def settings(**changes: Any) -> Callable[[RunningSimulator], requests.Response]:
    """Provoke a state code by a plain request under changed settings."""

    def provoke(_: RunningSimulator) -> requests.Response:
        with running_simulator(**changes) as sim:
            return post(sim.url)

    return provoke


def fault(code: int) -> Callable[[RunningSimulator], requests.Response]:
    def provoke(sim: RunningSimulator) -> requests.Response:
        sim.faults([{"do": "code", "code": code}])
        return post(sim.url)

    return provoke


def twice(sim: RunningSimulator, **settings: Any) -> requests.Response:
    timestamp = plain_client.fresh_timestamp()
    post(sim.url, timestamp=timestamp)
    return post(sim.url, timestamp=timestamp)


def too_often(_: RunningSimulator) -> requests.Response:
    with running_simulator(rate=1) as sim:
        post(sim.url)
        return post(sim.url)


PROVOKE: dict[int, Callable[[RunningSimulator], requests.Response]] = {
    0: lambda sim: post(sim.url),
    1: fault(1),
    100: lambda sim: requests.post(sim.url, data=plain_client.form("logout", signed()), timeout=5),
    110: lambda sim: requests.post(sim.url, data={"op": "login", "message": "{"}, timeout=5),
    120: lambda sim: requests.post(sim.url, data={"op": "login"}, timeout=5),
    130: lambda sim: requests.get(sim.url, params=plain_client.form("login", signed()), timeout=5),
    200: lambda sim: post(sim.url, uid="nobody"),
    210: too_often,
    220: settings(allowed_sources=["192.0.2.1"]),
    230: twice,
    240: lambda sim: post(sim.url, pwd="wrong"),
    250: settings(account_disabled=True),
    260: settings(organisation_disabled=True),
    300: lambda sim: post(sim.url, mobiles=[]),
    310: lambda sim: post(sim.url, mobiles=["12345"]),
    320: lambda sim: post(sim.url, content=""),
    330: lambda sim: post(sim.url, atTime="2015-04-31 12:00:00"),
    340: lambda sim: post(sim.url, dailyBeginTime="25:00:00"),
    350: fault(350),
    360: fault(360),
    400: settings(balance=0),
}


def test_every_state_code_of_the_specs_table_has_its_provocation() -> None:
    assert [*PROVOKE] == [code for code, _ in spec_samples.STATE_CODES]


@pytest.mark.parametrize(("code", "words"), spec_samples.STATE_CODES)
def test_a_plain_client_provokes_every_state_code_in_the_specs_words(
    sim: RunningSimulator, code: int, words: str
) -> None:
    response = PROVOKE[code](sim)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    answer = json.loads(response.content.decode("utf-8"))
    assert (answer["stateCode"], answer["message"]) == (code, words)


def test_the_specs_own_submission_arrives_byte_for_byte(sim: RunningSimulator) -> None:
    fields = {"op": spec_samples.SEND_SM_OP, "message": spec_samples.SEND_SM_MESSAGE}
    requests.post(sim.url, data=fields, timeout=5)
    assert [record.fields for record in sim.requests()] == [fields]


def test_a_login_over_http_tells_the_balances(sim: RunningSimulator) -> None:
    assert post(sim.url, "login").json() == {
        "stateCode": 0,
        "message": "操作成功",
        "smBalance": 1000,
        "mmBalance": 0,
    }


def test_fields_of_the_query_string_do_not_count(sim: RunningSimulator) -> None:
    response = requests.post(sim.url, params=plain_client.form("login", signed()), timeout=5)
    assert state_code(response) == 120


def test_bytes_that_are_no_utf_8_are_no_json(sim: RunningSimulator) -> None:
    message = json.dumps(plain_client.send_sm(), ensure_ascii=False)
    for body in (f"op=sendSm&message={message}".encode("gbk"), b"op=login&message=%FF%FE"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert state_code(requests.post(sim.url, data=body, headers=headers, timeout=5)) == 110


def test_ten_thousand_mobiles_fit_into_one_request() -> None:
    mobiles = [f"13{number:09d}" for number in range(10_000)]
    with running_simulator(balance=10_000) as sim:
        assert post(sim.url, mobiles=mobiles).json()["fee"] == 10_000
        assert sim.messages()[0].mobiles == tuple(mobiles)
        assert set(sim.acceptances().values()) == {1}


def test_requests_side_by_side_get_tokens_of_their_own(sim: RunningSimulator) -> None:
    threads = [threading.Thread(target=post, args=(sim.url,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({message.token for message in sim.messages()}) == 16


def test_it_listens_on_loopback_alone(sim: RunningSimulator) -> None:
    port = int(sim.url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
        socket.create_connection(("127.0.0.2", port), timeout=2)


def test_an_outage_closes_all_servers_of_a_platform_and_its_end_opens_all() -> None:
    with running_simulator(servers=2) as sim:
        sim.refuse_connections()
        for url in sim.urls:
            with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
                post(url)
        sim.accept_connections()
        assert [state_code(post(url)) for url in sim.urls] == [0, 0]


def test_an_outage_that_is_ended_twice_is_ended_once() -> None:
    with running_simulator(servers=2) as sim:
        sim.refuse_connections(0.0)
        sim.accept_connections()
        sim.wait_until(lambda sim: not sim.state()["refusing_connections"])
        sim.accept_connections()
        assert [state_code(post(url)) for url in sim.urls] == [0, 0]


def test_a_requests_record_tells_which_server_it_came_to() -> None:
    with running_simulator(servers=2) as sim:
        for url in reversed(sim.urls):
            post(url)
        assert [record.server for record in sim.requests()] == [1, 0]


def arrived(sim: RunningSimulator) -> None:
    """Wait for the first request; a client that hangs up early may be faster than the server."""
    sim.wait_until(lambda sim: sim.requests())


def test_a_taken_port_is_an_error_at_once(sim: RunningSimulator) -> None:
    port = int(sim.url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"), running_simulator(port=port):
        pass


# Faults: the platform acts or does not, and the client hears nothing, nonsense, or the wrong thing


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("keep", ["nothing", "headers", "half"])
def test_an_answer_is_cut_off(sim: RunningSimulator, when: str, accepted: int, keep: str) -> None:
    sim.faults([{"do": "cut", "when": when, "keep": keep}])
    with pytest.raises(UNREADABLE):
        post(sim.url)
    assert (len(sim.messages()), sim.faults_applied()) == (accepted, {"cut": 1})
    assert sim.requests()[0].fault == f"cut {when}"


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_an_answer_is_garbled_in_many_ways(sim: RunningSimulator, when: str, accepted: int) -> None:
    sim.faults([{"do": "garble", "when": when}])
    answers = [post(sim.url) for _ in range(7)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any(is_readable(answer.content) for answer in answers)
    assert (len(sim.messages()), sim.faults_applied()) == (7 * accepted, {"garble": 7})


def is_readable(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body)["stateCode"], int)
    except (ValueError, TypeError, KeyError):
        return False


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_an_http_status_takes_the_answers_place(sim: RunningSimulator, when: str, accepted: int) -> None:
    sim.faults([{"do": "status", "status": 503, "when": when}])
    assert post(sim.url).status_code == 503
    assert (len(sim.messages()), sim.faults_applied()) == (accepted, {"status": 1})


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_any_state_code_is_answered_instead_of_acting_or_in_spite_of_it(
    sim: RunningSimulator, when: str, accepted: int
) -> None:
    codes = [code for code, _ in spec_samples.STATE_CODES if code]
    for code in codes:
        sim.faults([{"do": "code", "code": code, "when": when}])
        assert state_code(post(sim.url)) == code
    assert (len(sim.messages()), sim.faults_applied()) == (len(codes) * accepted, {"code": len(codes)})


@pytest.mark.parametrize(("unseen", "second_answer"), [(False, 230), (True, 0)])
def test_a_code_may_come_from_so_far_in_front_that_the_timestamp_stays_unseen(
    sim: RunningSimulator, unseen: bool, second_answer: int
) -> None:
    sim.faults([{"do": "code", "code": 210, "unseen": unseen, "times": 1}])
    assert state_code(twice(sim)) == second_answer


def test_memory_for_accepted_timestamps_alone_is_a_setting(sim: RunningSimulator) -> None:
    with running_simulator(timestamps="accepted") as forgetful:
        forgetful.faults([{"do": "code", "code": 210, "times": 1}])
        assert state_code(twice(forgetful)) == 0
        assert state_code(twice(forgetful)) == 230


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_an_answer_is_delayed_until_after_its_client_has_lost_patience(
    sim: RunningSimulator, when: str, accepted: int
) -> None:
    sim.faults([{"do": "delay", "seconds": 1, "when": when}])
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(sim.url, seconds=0.1)
    arrived(sim)
    assert len(sim.messages()) == accepted
    sim.wait_until(lambda sim: len(sim.messages()) == 1)  # a delay before acting still ends in acting
    assert sim.faults_applied() == {"delay": 1}


def test_a_delayed_answer_comes_whole_to_who_waits(sim: RunningSimulator) -> None:
    sim.faults([{"do": "delay", "seconds": 0.2, "when": when} for when in ("before", "after")])
    started = time.monotonic()
    assert state_code(post(sim.url)) == 0
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_silence_lasts_until_the_client_leaves(sim: RunningSimulator, when: str, accepted: int) -> None:
    sim.faults([{"do": "silence", "when": when}])
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(sim.url, seconds=0.1)
    arrived(sim)
    assert (len(sim.messages()), sim.faults_applied()) == (accepted, {"silence": 1})


@pytest.mark.parametrize("client", ["drop", "hang"])
def test_a_request_is_acted_on_long_after_its_client_has_gone_when_released(
    sim: RunningSimulator, client: str
) -> None:
    sim.faults([{"do": "late", "client": client, "times": 1}])
    with pytest.raises(requests.exceptions.RequestException):
        post(sim.url, seconds=0.1, content="first")
    arrived(sim)
    post(sim.url, content="second")
    assert [message.content for message in sim.messages()] == ["second"]
    assert sim.release() == {"requests": 1, "pushes": 0}
    assert [message.content for message in sim.messages()] == ["second", "first"]
    first = sim.requests()[0]
    assert (first.fault, first.outcome, first.status) == ("late", 0, None)
    assert sim.release() == {"requests": 0, "pushes": 0}


def test_a_late_request_is_acted_on_by_itself_after_its_time(sim: RunningSimulator) -> None:
    sim.faults([{"do": "late", "seconds": 0.5}])
    with pytest.raises(UNREADABLE):
        post(sim.url)
    assert sim.messages() == []
    sim.wait_until(lambda sim: len(sim.messages()) == 1)


def test_a_late_request_is_refused_when_its_timestamp_was_used_meanwhile(sim: RunningSimulator) -> None:
    timestamp = plain_client.fresh_timestamp()
    sim.faults([{"do": "late", "times": 1}])
    with pytest.raises(UNREADABLE):
        post(sim.url, timestamp=timestamp)
    assert state_code(post(sim.url, timestamp=timestamp)) == 0
    sim.release()
    assert sim.requests()[0].outcome == 230
    assert len(sim.messages()) == 1


def test_connections_are_refused_until_told_over_and_control_stays_in_reach(sim: RunningSimulator) -> None:
    sim.refuse_connections()
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        post(sim.url)
    assert requests.get(f"{sim.control_url}/state", timeout=5).json()["refusing_connections"] is True
    sim.accept_connections()
    assert state_code(post(sim.url)) == 0
    assert sim.faults_applied() == {"refuse": 1}


def test_connections_are_refused_for_a_while_from_a_chosen_request_on(sim: RunningSimulator) -> None:
    sim.faults([{"do": "refuse", "seconds": 1, "nth": 2}])
    assert state_code(post(sim.url)) == 0
    for _ in range(2):
        with pytest.raises(requests.exceptions.ConnectionError):
            post(sim.url)
    sim.wait_until(lambda sim: not sim.state()["refusing_connections"])
    assert state_code(post(sim.url)) == 0
    assert len(sim.messages()) == 2


def test_a_kept_alive_connection_does_not_survive_an_outage(sim: RunningSimulator) -> None:
    with requests.Session() as session:
        session.post(sim.url, data=plain_client.form("login", signed()), timeout=5)
        sim.refuse_connections()
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(sim.url, data=plain_client.form("login", signed()), timeout=5)
        sim.accept_connections()
        session.post(sim.url, data=plain_client.form("login", signed()), timeout=5)


def test_a_reset_ends_faults_and_outages_and_forgets(sim: RunningSimulator) -> None:
    post(sim.url)
    sim.faults([{"do": "refuse"}])
    with pytest.raises(requests.exceptions.ConnectionError):
        post(sim.url)
    sim.reset()
    assert (sim.messages(), sim.requests(), sim.faults_applied()) == ([], [], {})
    assert post(sim.url).json()["token"] > 376
    assert sim.state()["balance"] == 999


def test_chance_strikes_some_and_the_count_says_how_many(sim: RunningSimulator) -> None:
    sim.faults([{"do": "code", "code": 1, "chance": 0.3, "seed": 1}])
    with requests.Session() as session:
        codes = [
            state_code(session.post(sim.url, data=plain_client.form("login", signed()), timeout=5))
            for _ in range(100)
        ]
    assert 15 < codes.count(1) < 45
    assert sim.faults_applied() == {"code": codes.count(1)}
