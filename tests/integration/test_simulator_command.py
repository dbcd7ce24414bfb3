"""``python -m local.simulator``, started as a user starts it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests import plain_client
from tests.plain_client import post, state_code
from tests.plain_receiver import receiver

ROOT = Path(__file__).parents[2]


@contextmanager
def command(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command while the block lasts, and no longer."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "local.simulator", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    assert line.endswith("/webservice/http/service\n")
    return line.removeprefix("listening on ").strip()


def test_several_servers_of_one_platform_have_addresses_of_their_own() -> None:
    with command("--port", "0", "--servers", "2", "--timestamps-by", "server") as process:
        urls = [address(process) for _ in range(2)]
        assert len({*urls}) == 2
        timestamp = plain_client.fresh_timestamp()
        answers = [post(url, timestamp=timestamp).json() for url in (*urls, *urls)]
        assert [answer["stateCode"] for answer in answers] == [0, 0, 230, 230]
        control = urls[1].removesuffix("/webservice/http/service") + "/_sim"
        messages = requests.get(f"{control}/messages", timeout=5).json()
        assert [(message["server"], message["token"]) for message in messages] == [(0, 376), (1, 377)]
        assert requests.get(f"{control}/state", timeout=5).json()["urls"] == urls


def test_what_the_platform_and_its_handsets_are_like_is_told_on_the_command_line() -> None:
    with command(
        *("--port", "0", "--other-user", "second=other", "--timestamps", "accepted", "--timestamps-by", "user"),
        *("--timestamps-for", "60", "--clock-ahead", "-5.5", "--rate", "0.5", "--rate-kind", "bucket"),
        *("--rate-burst", "9", "--single-segment", "64", "--long-segment", "60", "--signature", "4"),
        *("--off", "18930612517", "--answer", "*=TD"),
    ) as process:
        url = address(process)
        control = url.removesuffix("/webservice/http/service") + "/_sim"
        settings = requests.get(f"{control}/settings", timeout=5).json()
        assert post(url, uid="second", pwd="other", mobiles=["13708600860", "18930612517"]).json()["fee"] == 2
        text = requests.get(f"{control}/wait", params={"mobile": "13708600860", "timeout": "5"}, timeout=9)
        assert text.json()["token"] == 376
    expected = {
        "other_users": ["second"],
        "timestamps": "accepted",
        "timestamps_by": ["user"],
        "timestamps_for": 60.0,
        "clock_ahead": -5.5,
        "rate": 0.5,
        "rate_kind": "bucket",
        "rate_burst": 9,
        "single_segment": 64,
        "long_segment": 60,
        "signature": 4,
        "handsets": {
            "18930612517": {"off": True, "code": "EXPIRED", "answers": []},
            "*": {"off": False, "code": "EXPIRED", "answers": [{"content": "TD", "match": None, "seconds": 0.0}]},
        },
    }
    assert {name: settings[name] for name in expected} == expected


def test_help_says_how_to_wait_for_a_text() -> None:
    with command("--help") as process:
        output, _ = process.communicate(timeout=10)
    assert "/_sim/wait?mobile=13800000860&match=%5Cd%7B6%7D&timeout=10" in output


def reports_delivered(control: str) -> int:
    delivered = requests.get(f"{control}/state", timeout=5).json()["pushes"]["delivered"]
    return int(delivered["report"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_as_in_the_contract_and_stops_cleanly_when_told(number: signal.Signals) -> None:
    with (
        receiver() as customer,
        command(
            *("--port", "0", "--cid", "12345678", "--uid", "test", "--pwd", "secret", "--balance", "1000"),
            *("--push-url", customer.url, "--push-uid", "abc", "--push-pwd", "123"),
            *("--fail", "18930612517=2:46"),
        ) as process,
    ):
        url = address(process)
        assert state_code(post(url, mobiles=["13708600860", "18930612517"])) == 0
        control = url.removesuffix("/webservice/http/service") + "/_sim"
        deadline = time.monotonic() + 10
        while reports_delivered(control) < 2:
            assert time.monotonic() < deadline
        assert [entry["resultCode"] for entry in customer.entries] == ["DELIVER", "2:46"]
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output, errors) == (0, "", "")


def test_every_option_has_a_default() -> None:
    with command("--port", "0") as process:
        assert post(address(process), "login").json()["smBalance"] == 1000


def test_it_stops_at_once_even_with_an_answer_held_back() -> None:
    with command("--port", "0") as process:
        url = address(process)
        control = url.removesuffix("/webservice/http/service") + "/_sim"
        requests.post(f"{control}/faults", json={"do": "silence"}, timeout=5)
        with pytest.raises(requests.exceptions.ReadTimeout):
            post(url, seconds=0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_said_in_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command("--port", str(taken.getsockname()[1])) as process,
    ):
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("cannot listen: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fail", "18930612517"],
        ["--balance", "-1"],
        ["--timestamps", "none"],
        ["--timestamps-by", "moon"],
        ["--servers", "0"],
        ["--rate-kind", "often"],
        ["--other-user", "second"],
    ],
)
def test_a_wrong_option_is_told_and_nothing_starts(wrong: list[str]) -> None:
    with command(*wrong) as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (2, "")
    assert "error: " in errors
