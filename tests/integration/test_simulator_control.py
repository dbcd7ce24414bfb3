"""``/_sim/…`` as any HTTP client in any language sees it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from local.simulator.running import RunningSimulator, running_simulator
from tests import plain_client, spec_samples
from tests.plain_client import ANY_CONTENT, ANY_MOBILE, post, state_code


@pytest.fixture
def sim() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


def base(sim: RunningSimulator) -> str:
    """Control at the service's own port."""
    return sim.url.removesuffix("/webservice/http/service") + "/_sim"


def get(sim: RunningSimulator, name: str, **query: int | str) -> Any:
    return requests.get(f"{base(sim)}/{name}", params=query, timeout=5).json()


def tell(sim: RunningSimulator, name: str, value: Any = None) -> requests.Response:
    return requests.post(f"{base(sim)}/{name}", json=value, timeout=5)


def test_accepted_parts_are_listed_with_the_request_as_it_came(sim: RunningSimulator) -> None:
    fields = plain_client.form("sendSm", plain_client.send_sm(dailyBeginTime="08:00:00", atTime=""))
    requests.post(sim.url, data=fields, timeout=5)
    (message,) = get(sim, "messages")
    assert message.pop("accepted_at").endswith("+00:00")
    assert message == {
        "token": 376,
        "timestamp": message["timestamp"],
        "mobiles": [ANY_MOBILE],
        "content": ANY_CONTENT,
        "at_time": "",
        "daily_begin_time": "08:00:00",
        "daily_end_time": "",
        "segments": 1,
        "fee": 1,
        "uid": "test",
        "server": 0,
        "message": fields["message"],
    }


def test_messages_and_requests_are_read_page_by_page(sim: RunningSimulator) -> None:
    for _ in range(5):
        post(sim.url)
    assert [message["token"] for message in get(sim, "messages", after=377, limit=2)] == [378, 379]
    assert [record["number"] for record in get(sim, "requests", after=3)] == [4, 5]


def test_a_requests_record_tells_what_became_of_it(sim: RunningSimulator) -> None:
    tell(sim, "faults", {"do": "cut", "when": "after", "nth": 2})
    fields = plain_client.form("login", plain_client.signed())
    answer = requests.post(sim.url, data=fields, timeout=5)
    with pytest.raises(requests.exceptions.ConnectionError):
        post(sim.url)
    login, submission = get(sim, "requests")
    assert (login["method"], login["source"], login["fields"]) == ("POST", "127.0.0.1", fields)
    assert (login["outcome"], login["status"], login["body"]) == (0, 200, answer.text)
    assert (login["fault"], login["token"]) == (None, None)
    assert (submission["fault"], submission["outcome"], submission["token"]) == ("cut after", 0, 376)
    assert submission["acted_at"] is not None
    assert (submission["status"], submission["body"]) == (None, None)


def test_bytes_that_were_no_utf_8_are_still_shown_as_json(sim: RunningSimulator) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    requests.post(sim.url, data=b"op=login&message=%FF", headers=headers, timeout=5)
    assert get(sim, "requests")[0]["fields"] == {"op": "login", "message": "\udcff"}


def test_acceptances_are_counted_by_mobile(sim: RunningSimulator) -> None:
    post(sim.url, mobiles=["13000000001", "13000000002"])
    post(sim.url, mobiles=["13000000002"])
    assert get(sim, "mobiles") == {"13000000001": 1, "13000000002": 2}


def test_settings_are_shown_without_passwords_and_changed_one_by_one(sim: RunningSimulator) -> None:
    shown = tell(sim, "settings", {"other_users": {"second": "hush-hush"}}).json()
    assert shown["other_users"] == ["second"]
    assert "pwd" not in shown
    assert "push_pwd" not in shown
    assert tell(sim, "settings", {"balance": 0, "mm_balance": 7}).json()["mm_balance"] == 7
    assert state_code(post(sim.url)) == 400
    assert tell(sim, "settings", {"pwd": "new", "balance": 5}).status_code == 200
    assert state_code(post(sim.url)) == 240
    assert state_code(post(sim.url, pwd="new")) == 0
    assert get(sim, "state")["balance"] == 4


def test_standing_sources_refused_numbers_and_rate_are_settings(sim: RunningSimulator) -> None:
    changes: dict[int, dict[str, Any]] = {
        250: {"account_disabled": True},
        260: {"account_disabled": False, "organisation_disabled": True},
        310: {"organisation_disabled": False, "refused_mobiles": [ANY_MOBILE]},
        220: {"refused_mobiles": [], "allowed_sources": ["192.0.2.1"]},
        0: {"allowed_sources": None, "timestamps": "accepted"},
    }
    for code, change in changes.items():
        tell(sim, "settings", change).raise_for_status()
        assert state_code(post(sim.url)) == code


def test_faults_are_set_listed_with_their_counts_and_cleared(sim: RunningSimulator) -> None:
    rules = [
        {"do": "code", "code": 210, "op": "sendSm", "nth": [1]},
        {"do": "garble", "when": "after", "chance": 0.0},
    ]
    assert tell(sim, "faults", rules).status_code == 200
    assert [state_code(post(sim.url)) for _ in range(2)] == [210, 0]
    assert get(sim, "faults") == {
        "rules": [{**rules[0], "seen": 2, "applied": 1}, {**rules[1], "seen": 2, "applied": 0}],
        "applied": {"code": 1},
    }
    assert tell(sim, "faults", []).json() == {"rules": [], "applied": {"code": 1}}


def wait(sim: RunningSimulator, **query: int | str) -> requests.Response:
    return requests.get(f"{base(sim)}/wait", params={"mobile": ANY_MOBILE, **query}, timeout=20)


def test_a_text_is_waited_for_and_returned_with_what_matched(sim: RunningSimulator) -> None:
    with ThreadPoolExecutor(1) as background:
        waiting = background.submit(wait, sim, match=r"code (\d{6})", timeout=15)
        post(sim.url, mobiles=["18930612517"], content="code 111111")
        post(sim.url, content="hello")
        assert not waiting.done()
        post(sim.url, content="your code 222222, and 333333")
        found = waiting.result(10)
    assert found.status_code == 200
    text = found.json()
    assert text.pop("accepted_at").endswith("+00:00")
    assert text == {
        "token": 378,
        "mobile": ANY_MOBILE,
        "content": "your code 222222, and 333333",
        "match": "code 222222",
        "groups": ["222222"],
        "timestamp": sim.messages()[2].timestamp,
    }


def test_texts_that_are_there_already_are_found_at_once_one_after_the_other(sim: RunningSimulator) -> None:
    for content in ("code 111111", "code 222222"):
        post(sim.url, content=content)
    found = [wait(sim, match=r"\d{6}", timeout=0) for _ in range(3)]
    assert [each.status_code for each in found] == [200, 200, 404]
    assert [each.json()["match"] for each in found[:2]] == ["111111", "222222"]
    assert found[2].json() == {"error": "No such text to this mobile within 0 s."}
    assert [wait(sim, timeout=0, after=376).json()["match"] for _ in range(2)] == ["code 222222"] * 2


def test_waiting_ends_after_its_time_without_a_text(sim: RunningSimulator) -> None:
    post(sim.url, content="nothing in it")
    started = time.monotonic()
    assert wait(sim, match=r"\d", timeout="0.2").status_code == 404
    assert 0.2 <= time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"match": "("}, "match"),
        ({"match": r"(\w)\1"}, "match"),
        ({"match": "x" * 501}, "match"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "-1"}, "timeout"),
        ({"timeout": "301"}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"after": "x"}, "after"),
        ({"pattern": "x"}, "pattern"),
    ],
)
def test_waiting_for_what_makes_no_sense_is_refused_with_a_sentence(
    sim: RunningSimulator, query: dict[str, str], named: str
) -> None:
    response = wait(sim, **query)
    assert response.status_code == 400
    assert response.json()["error"].startswith(named)


def test_waiting_without_a_mobile_is_refused(sim: RunningSimulator) -> None:
    response = requests.get(f"{base(sim)}/wait", timeout=5)
    assert (response.status_code, response.json()) == (400, {"error": "mobile: Field required"})


def test_a_pattern_that_would_run_for_ever_elsewhere_holds_nobody_up(sim: RunningSimulator) -> None:
    post(sim.url, content="a" * 1_000)
    started = time.monotonic()
    assert wait(sim, match="(a|a)*(a*)*b", timeout="0.1").status_code == 404
    assert time.monotonic() - started < 2


def test_messages_of_one_mobile_are_listed(sim: RunningSimulator) -> None:
    post(sim.url, mobiles=["18930612517"])
    for _ in range(3):
        post(sim.url, mobiles=[ANY_MOBILE, "18930612517"])
    assert [each["token"] for each in get(sim, "messages", mobile=ANY_MOBILE, after=377, limit=1)] == [378]
    assert len(get(sim, "messages", mobile="18930612517")) == 4


def test_every_list_gives_its_newest_when_asked_for_the_last(sim: RunningSimulator) -> None:
    for number in range(3):
        post(sim.url, content=f"text {number}")
        sim.mo(ANY_MOBILE, f"answer {number}")
    sim.mo("18930612517", "another's")
    assert [each["content"] for each in get(sim, "messages", last=2)] == ["text 1", "text 2"]
    assert [each["content"] for each in get(sim, "messages", last=1, mobile=ANY_MOBILE)] == ["text 2"]
    assert [each["number"] for each in get(sim, "requests", last=2)] == [2, 3]
    assert [each["content"] for each in get(sim, "mos", last=2, mobile=ANY_MOBILE)] == ["answer 1", "answer 2"]
    assert get(sim, "pushes", last=0) == get(sim, "messages", last=0) == []
    assert len(get(sim, "mos", last=99)) == 4
    assert all(each["sent_at"].endswith("+00:00") for each in get(sim, "mos"))
    for nonsense in ("-1", "two"):
        assert "last" in get(sim, "mos", last=nonsense)["error"]


def test_a_handset_is_told_what_to_do_and_to_stop_it(sim: RunningSimulator) -> None:
    rule = {"match": "回复R", "content": "R", "seconds": 0.0}
    assert tell(sim, "handsets", {"mobile": "*", "answers": [rule]}).status_code == 200
    tell(sim, "handsets", {"mobile": ANY_MOBILE, "off": True}).raise_for_status()
    assert get(sim, "handsets") == {
        "*": {"off": False, "code": "EXPIRED", "answers": [rule]},
        ANY_MOBILE: {"off": True, "code": "EXPIRED", "answers": []},
    }
    tell(sim, "reset").raise_for_status()
    assert [*tell(sim, "handsets", {"mobile": ANY_MOBILE}).json()] == ["*"]
    post(sim.url, content="特价，拒收请回复R")
    sim.wait_until(lambda sim: sim.mos())
    (mo,) = get(sim, "mos")
    assert (mo["mobile"], mo["content"]) == (ANY_MOBILE, "R")
    assert tell(sim, "handsets", {"mobile": "*"}).json() == {}


def test_the_pace_is_changed_while_it_runs(sim: RunningSimulator) -> None:
    def let_in() -> int:
        return [state_code(post(sim.url)) for _ in range(5)].count(0)

    assert let_in() == 5
    tell(sim, "settings", {"rate": 0.01, "rate_kind": "bucket", "rate_burst": 3}).raise_for_status()
    assert let_in() == 3
    tell(sim, "settings", {"rate_kind": "connection"}).raise_for_status()
    with requests.Session() as kept:
        fields = [plain_client.form("login", plain_client.signed()) for _ in range(2)]
        answers = [state_code(kept.post(sim.url, data=each, timeout=5)) for each in fields]
    assert (answers, let_in()) == ([0, 210], 5)  # a plain post has a connection of its own
    tell(sim, "settings", {"rate": None}).raise_for_status()
    assert let_in() == 5


def test_late_requests_are_released(sim: RunningSimulator) -> None:
    tell(sim, "faults", {"do": "late"})
    with pytest.raises(requests.exceptions.ConnectionError):
        post(sim.url)
    assert get(sim, "state")["late_requests"] == 1
    assert tell(sim, "release").json() == {"requests": 1, "pushes": 0}
    assert get(sim, "state")["accepted"] == 1


def test_an_outage_is_begun_at_one_port_and_ended_at_the_other(sim: RunningSimulator) -> None:
    assert tell(sim, "connections", {"refused": True}).json()["refusing_connections"] is True
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        post(sim.url)
    requests.post(f"{sim.control_url}/connections", json={"refused": False}, timeout=5).raise_for_status()
    assert state_code(post(sim.url)) == 0


def test_an_mo_is_taken_and_waits_for_a_push_url(sim: RunningSimulator) -> None:
    mo = {"mobile": "13500000000", "content": "你好吗", "smgRecvDate": "2015-01-01 12:00:00"}
    assert tell(sim, "mo", mo).json() == mo
    assert get(sim, "state")["pushes"]["waiting"]["mo"] == 1


def test_a_reset_forgets_all_but_settings_and_the_next_token(sim: RunningSimulator) -> None:
    post(sim.url)
    tell(sim, "settings", {"mm_balance": 7})
    tell(sim, "faults", {"do": "cut"})
    state = tell(sim, "reset").json()
    assert (state["requests"], state["accepted"], state["balance"]) == (0, 0, 1000)
    assert get(sim, "faults") == {"rules": [], "applied": {}}
    assert get(sim, "settings")["mm_balance"] == 7
    assert post(sim.url).json()["token"] == 377


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("settings", {"pasword": "hush-hush"}),
        ("settings", {"pwd": ["hush-hush"]}),
        ("settings", ["hush-hush"]),
        ("faults", {"do": "explode"}),
        ("faults", {"do": "cut", "chance": "often"}),
        ("mo", {"mobile": "13500000000"}),
        ("handsets", {"off": True}),
        ("handsets", {"mobile": "*", "answers": [{"content": ""}]}),
        ("handsets", {"mobile": "*", "answers": [{"match": "(", "content": "R"}]}),
        ("settings", {"timestamps_by": ["moon"]}),
        ("settings", {"timestamps_for": -1}),
        ("settings", {"timestamps_for": 1e300}),
        ("settings", {"clock_ahead": 1e300}),
        ("settings", {"rate": 0}),
        ("settings", {"rate_kind": "often"}),
        ("settings", {"single_segment": 0}),
        ("settings", {"other_users": {"second": ["hush-hush"]}}),
        ("connections", {}),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence_and_changes_nothing(
    sim: RunningSimulator, name: str, nonsense: Any
) -> None:
    before = get(sim, "settings"), get(sim, "faults"), get(sim, "state")
    response = tell(sim, name, nonsense)
    assert response.status_code == 400
    assert response.json()["error"]
    assert "hush-hush" not in response.text
    assert (get(sim, "settings"), get(sim, "faults"), get(sim, "state")) == before


def test_a_body_that_is_no_json_is_refused(sim: RunningSimulator) -> None:
    assert requests.post(f"{base(sim)}/mo", data=b"{", timeout=5).json() == {"error": "The body is no JSON."}
    assert requests.get(f"{base(sim)}/messages?after=x", timeout=5).status_code == 400


def test_the_specs_submission_is_shown_field_by_field(sim: RunningSimulator) -> None:
    fields = {"op": spec_samples.SEND_SM_OP, "message": spec_samples.SEND_SM_MESSAGE}
    requests.post(sim.url, data=fields, timeout=5)
    assert get(sim, "requests")[0]["fields"] == fields
