"""``make demo`` as a person sees it: to its end, and cut off."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.processes import Process, wait_until
from local.records import ROOT, stacks_folder

HOSTILE = {  # what a company, or a life before, has put into the shell
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
    "AWS_SESSION_TOKEN": "of another account",
    "AWS_REGION": "cn-north-1",
    "PIP_INDEX_URL": "http://127.0.0.1:9",
}


@contextmanager
def demo(output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the demo while the block lasts; what it prints goes to ``output``."""
    environment = {**os.environ, **HOSTILE, "PYTHONPATH": f"{ROOT / 'layers' / 'kuaixintong'}"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "demo"],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def folder_of(process: subprocess.Popen[bytes]) -> Path:
    return stacks_folder() / f"demo-{process.pid}"


def test_the_demo_shows_a_delivered_a_failed_and_an_mo_and_ends_well_in_any_shell(tmp_path: Path) -> None:
    with demo(tmp_path / "output") as process:
        status = process.wait(180)
    shown = (tmp_path / "output").read_text("utf-8")
    assert status == 0, shown
    assert re.search(r"13708600860 +pending", shown)
    assert re.search(r"13708600860 +delivered +DELIVER", shown)
    assert re.search(r"18930612517 +failed +2:46", shown)
    assert "The MO has arrived: 你好吗" in shown
    assert "aws dynamodb query" not in shown  # there is nothing left to try it on
    assert not folder_of(process).exists()


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("Starting emulated AWS", signal.SIGINT),
        ("sam build", signal.SIGTERM),
        ("sam deploy", signal.SIGINT),
        ("Enqueueing", signal.SIGINT),
    ],
)
def test_a_demo_that_is_cut_off_leaves_nothing_running(tmp_path: Path, step: str, number: signal.Signals) -> None:
    output = tmp_path / "output"
    with demo(output) as process:
        wait_until(lambda: step in output.read_text("utf-8"), f"the demo comes to {step}", seconds=120)
        state = json.loads((folder_of(process) / "state.json").read_text("utf-8"))
        process.send_signal(number)
        status = process.wait(60)
    # where a Ctrl-C comes in the midst of compiled text, Python ends itself by it, which a shell calls 130 as well
    ends = {128 + number} | ({-number} if number is signal.SIGINT else set())
    assert status in ends, output.read_text("utf-8")
    assert [each for each in state["processes"] if Process(**each).alive] == []
    assert not folder_of(process).exists()
