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


@pytest.mark.parametrize("wrong", [["--fail", "18930612517"], ["--balance", "-1"], ["--timestamps", "none"]])
def test_a_wrong_option_is_told_and_nothing_starts(wrong: list[str]) -> None:
    with command(*wrong) as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (2, "")
    assert "error: " in errors
