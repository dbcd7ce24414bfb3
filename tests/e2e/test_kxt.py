"""``kxt`` on the deployed stack: a team's day without one raw call."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local.processes import wait_until
from local.records import ROOT
from local.simulator.running import RunningSimulator
from tests.deployed import Outcome
from tests.deployed import kxt as called
from tests.e2e.deployment import ACCOUNT, Deployment


@pytest.fixture
def environment(deployment: Deployment, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        **deployment.stack.environment,
        "KXT_STACK": deployment.stack.name,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def here(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls in this process find the deployed stack."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def kxt(*arguments: str) -> Outcome:
    return called(*arguments)


def people(path: Path, count: int) -> Path:
    rows = (f"{13710000000 + number},人{number}\n" for number in range(count))
    path.write_text("手机号,姓名\n" + "".join(rows), "utf-8")
    return path


@pytest.mark.usefixtures("here")
def test_a_days_work(deployment: Deployment, platform: RunningSimulator) -> None:
    sent = kxt("send", "13720000001", "--text", "你好", "--id", "kxt-1", "--category", "otp", "--wait")
    assert (sent.status, "ACCEPTED" in sent.printed) == (0, True)
    wait_until(lambda: "delivered" in kxt("show", "kxt-1").printed, "The report arrives", seconds=120)
    platform.mo("13720000001", "收到")
    wait_until(lambda: "收到" in kxt("who", "13720000001").printed, "The MO arrives", seconds=120)
    assert "kxt-1" in kxt("today", "--size", "1000").printed
    assert kxt("show", "kxt-1", "--history").printed.count("ACCEPTED") >= 0
    account = kxt("account", "--json").json
    assert account["queues"]["ordinary"]["waiting"] == 0
    assert kxt("optout", "add", "13720000001").status == 0
    left_out = kxt("send", "13720000001", "--text", "促销", "--id", "kxt-2", "--category", "marketing", "--wait")
    assert (left_out.status, "opted out" in left_out.printed) == (1, True)


@pytest.mark.usefixtures("here")
def test_doctor_finds_the_empty_secret_the_wrong_password_and_the_refused_address(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    def login() -> dict[str, Any]:
        (found,) = (each for each in kxt("doctor", "--json").json if each["check"] == "login")
        return dict(found)

    assert login()["verdict"] == "good"
    deployment.stack.fill_in_platform_secret(cid="", uid="", pwd="")
    empty = login()
    assert (empty["verdict"], "missing, empty" in empty["words"]) == ("wrong", True)
    deployment.stack.fill_in_platform_secret(cid=ACCOUNT.cid, uid=ACCOUNT.uid, pwd="wrong")
    wrong = login()
    assert (wrong["verdict"], "password is wrong" in wrong["words"]) == ("wrong", True)
    deployment.stack.fill_in_platform_secret(cid=ACCOUNT.cid, uid=ACCOUNT.uid, pwd=ACCOUNT.pwd)
    platform.faults([{"do": "code", "code": 220, "op": "login"}])
    refused = login()
    assert (refused["verdict"], "source address is refused" in refused["words"]) == ("wrong", True)


def test_an_import_that_is_killed_reaches_everybody_once(
    deployment: Deployment, platform: RunningSimulator, environment: dict[str, str], tmp_path: Path
) -> None:
    path = people(tmp_path / "people.csv", 200)
    line = [
        sys.executable,
        "-m",
        "kxt",
        "import",
        str(path),
        "--text",
        "{姓名}，您好",
        "--campaign",
        "kxt-spring",
        "--yes",
    ]
    for seconds in (1.2, 1.5, 1.8):
        process = subprocess.Popen(
            line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)  # at a random point is what is wanted
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    done = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr

    def accepted() -> Counter[str]:
        return Counter(mobile for message in platform.messages() for mobile in message.mobiles)

    wait_until(lambda: len(accepted()) == 200, "All are accepted", seconds=600)
    deployment.queue_runs_empty()
    assert set(accepted().values()) == {1}
    shown = subprocess.run(
        [sys.executable, "-m", "kxt", "campaign", "kxt-spring", "--watch", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(shown.stdout)["counts"] == {
        "campaign": "kxt-spring", "sends": 200, "states": {"ACCEPTED": 200}, "divided": 0
    }  # fmt: skip
    export = tmp_path / "spring.csv"
    subprocess.run(
        [sys.executable, "-m", "kxt", "campaign", "kxt-spring", "--export", str(export)],
        cwd=ROOT, env=environment, capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    with export.open(encoding="utf-8-sig", newline="") as file:
        assert Counter(row["state"] for row in csv.DictReader(file)) == {"ACCEPTED": 200}


@pytest.mark.usefixtures("here")
def test_rows_of_one_text_are_one_request(platform: RunningSimulator, tmp_path: Path) -> None:
    path = people(tmp_path / "people.csv", 200)
    assert kxt("import", str(path), "--text", "明天停水", "--campaign", "kxt-water", "--yes").status == 0
    wait_until(platform.messages, "It is accepted", seconds=120)
    (message,) = platform.messages()
    assert len(message.mobiles) == 200
