"""``kxt import`` on a stack by moto: what is told before anything goes, and once for everybody."""

import csv
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kuaixintong.core.enqueueing import Message
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.stack import Stack
from kuaixintong.stores.lanes import Lanes, Refusal
from tests import workbooks
from tests.deployed import Deployed, Outcome, kxt
from tests.workbooks import Date, Formula

TEXT = "{name}，您好"


class Killed(BaseException):
    """The process is no more."""


class Queue(Lanes):
    """Both queues, on paper; their user can die at the call after so many, before it or right after it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.live()

    def live(self) -> None:
        """Let nobody die."""
        self.die(10**9)

    def die(self, calls: int, *, after: bool = False, trouble: type[BaseException] = Killed) -> None:
        """Let so many calls go well, and no more."""
        self._left, self._after, self._trouble = calls, after, trouble
        self._lock = threading.Lock()

    def put(self, lane: Lane, messages: Sequence[Message]) -> dict[int, Refusal]:
        with self._lock:
            self._left -= 1
            if self._left < 0 and not self._after:
                raise self._trouble
            self.bodies += (json.loads(each.body) for each in messages)
            if self._left < 0:
                raise self._trouble
        return {}

    def taken(self) -> list[dict[str, Any]]:
        """What lies in the queues, which are empty afterwards."""
        bodies, self.bodies = self.bodies, []
        return bodies


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr("kuaixintong.stores.lanes.Lanes", lambda *_: queue)
    return queue


@pytest.fixture
def deployed(aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    deployed = Deployed()
    monkeypatch.setattr(Stack, "of", lambda name, **_: deployed.stack(name))
    monkeypatch.setenv("KXT_STACK", "kuaixintong-test")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return deployed


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two hundred people, of whom every tenth has the name of the one before."""
    path = tmp_path / "people.csv"
    lines = [f"{13700000001 + number},name {number - (number % 10 == 9)}" for number in range(200)]
    path.write_text("\n".join(["mobile,name", *lines]), "utf-8")
    return path


def imported(path: Path, *more: str, text: str = TEXT, campaign: str = "spring", yes: bool = True) -> Outcome:
    return kxt("import", str(path), "--text", text, "--campaign", campaign, *(["--yes"] if yes else []), *more)


# --- what is told -----------------------------------------------------------------------------------------------


def test_a_file_is_enqueued_under_ids_of_the_campaign_and_the_lines(
    deployed: Deployed, queue: Queue, people: Path
) -> None:
    told = imported(people)
    assert (told.status, told.printed) == (0, "spring\n")
    sends = {each["id"]: each for each in queue.taken()}
    assert len(sends) == 180
    assert sends["spring:2"] == {
        "id": "spring:2", "mobiles": ["13700000001"], "content": "name 0，您好", "campaign": "spring"
    }  # fmt: skip
    assert sends["spring:10"]["mobiles"] == ["13700000009", "13700000010"]
    (row,) = deployed.rows("CampaignsTable")
    assert (row["campaign"], row["source"], len(row["digest"])) == ("spring", "people.csv", 64)


def test_before_it_goes_all_that_it_costs_is_said(deployed: Deployed, queue: Queue, people: Path) -> None:
    deployed.parameters["RequestsPerSecond"] = "2"
    deployed.put("AccountTable", {"cid": "1", "sequence": 1, "sm_balance": 150})
    told = imported(people, "--dry-run")
    assert (told.status, queue.taken(), deployed.rows("CampaignsTable")) == (0, [], [])
    said = dict(line.split(": ", 1) for line in told.said.splitlines())
    assert (said["people"], said["column of mobiles"], said["first text"]) == ("200", "mobile", "name 0，您好")
    assert (said["sends, requests"], said["messages"], said["balance"]) == ("180", "200", "150")
    assert said["lasts at the pace"] == "0:01:30"
    assert said["The balance is below the cost by 50"] == "what is too dear waits."
    shown = imported(people, "--dry-run", "--json").json
    assert (shown["sends"], shown["messages"], shown["balance"], shown["pace"]) == (180, 200, 150, 2)


def test_where_nobody_can_be_asked_nothing_goes_without_yes(
    deployed: Deployed, queue: Queue, people: Path
) -> None:
    told = imported(people, yes=False)
    assert (told.status, queue.taken(), deployed.rows("CampaignsTable")) == (2, [], [])
    assert "--yes" in told.said


def test_one_text_for_many_is_one_send(deployed: Deployed, queue: Queue, people: Path) -> None:
    assert imported(people, text="明天停水").status == 0
    (send,) = queue.taken()
    assert (send["id"], len(send["mobiles"])) == ("spring:2", 200)


def test_what_all_sends_share_is_checked_at_once(deployed: Deployed, queue: Queue, people: Path) -> None:
    told = imported(people, "--at", "tomorrow", campaign="spring 2026")
    assert (told.status, queue.taken()) == (2, [])
    assert [line.split()[0] for line in told.said.splitlines()] == ["id", "atTime", "campaign"]


def test_a_file_with_every_fault_has_a_sentence_for_each_and_sends_nothing(
    deployed: Deployed, queue: Queue, tmp_path: Path
) -> None:
    path = workbooks.write(
        tmp_path / "people.xlsx",
        {
            "S": [
                ["手机号", "姓名", "日期", "备注"],
                [13700000001, "王", "周三", "x"],
                ["1.37E+10", "李", "周三", "x"],
                [13700000003, "", "周三", "x"],
                [13700000004, "字" * 1001, "周三", "x"],
                [13700000005, "孙", Date(46351), "x"],
                [13700000006, "钱", 46351, "x"],
                ["12345", "吴", "周三", "x"],
                [13700000001, "郑", "周三", "x"],
                [None, "冯", "周三", "x"],
                [],
                [13700000011, "陈", "周三", "x"],
                [13700000012, None, "周三", "x"],
                [Formula("A2+12", 13700000013), Formula("B2", "褚"), "周三", None],
            ]
        },
        merged=["B12:B13"],
    )
    report = tmp_path / "faults.csv"
    told = imported(path, "--report", str(report), text="{姓名}，{日期}见")
    assert (told.status, told.printed, queue.taken(), deployed.rows("CampaignsTable")) == (1, "", [], [])
    lines = told.said.splitlines()
    expected = {
        "line 3": "1.37E+10: a spreadsheet has rounded it",
        "line 4": "姓名 is empty.",
        "line 5": "the text has 1005 characters; 1000 are the most.",
        "line 6": "日期 is a date (2026-11-25)",
        "line 7": "日期 is the number 46351, by which a spreadsheet keeps a date",
        "line 8": "手机号 is 12345, which is not 11 digits beginning with 1.",
        "line 9": "the mobile 13700000001 stands in line 2 already.",
        "line 10": "手机号 is empty.",
        "line 11": "blank, passed over.",
        "line 12": "lines 12 to 13 are merged into one cell in the column 姓名",
        "line 13": "姓名 is empty.",
    }
    for line, words in expected.items():
        assert any(each.startswith(f"{line}: ") and words in each for each in lines), line
    assert lines[-1] == "Nothing was enqueued."
    with report.open(encoding="utf-8-sig", newline="") as file:
        assert {row["line"] for row in csv.DictReader(file)} == {line.split()[1] for line in expected}


def test_rows_with_faults_can_be_left_out(deployed: Deployed, queue: Queue, people: Path) -> None:
    people.write_text(people.read_text("utf-8") + "\n12345,nobody\n", "utf-8")
    assert (imported(people).status, queue.taken()) == (1, [])
    told = imported(people, "--leave-out-faulty")
    assert (told.status, len(queue.taken())) == (0, 180)
    assert "line 202: mobile is 12345" in told.said


@pytest.mark.parametrize("content", ["", "mobile,name\n"])
def test_a_file_without_people_is_a_sentence(
    deployed: Deployed, queue: Queue, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(content)
    told = imported(path)
    assert (told.status, queue.taken()) == (1, [])
    assert "Traceback" not in told.said


# --- once for everybody -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["file", "text", "category"])
def test_something_else_under_the_campaign_is_refused_before_anything_goes(
    deployed: Deployed, queue: Queue, people: Path, change: str
) -> None:
    imported(people)
    queue.taken()
    if change == "file":
        people.write_text(people.read_text("utf-8") + "\n13800000000,new\n", "utf-8")
    more = ["--category", "marketing"] if change == "category" else []
    told = imported(people, *more, text="{name}，再见" if change == "text" else TEXT)
    assert (told.status, queue.taken()) == (1, [])
    assert "The campaign spring stands for the file people.csv since" in told.said


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"source": "queue", "created_at": "2026-11-25T12:00:00.000+08:00"},
            "stands for sends that came by queue",
        ),
        ({"source": "people.csv", "cancelled_at": "2026-11-25T12:00:00.000+08:00"}, "is cancelled"),
    ],
)
def test_a_campaign_of_somebody_elses_is_refused(
    deployed: Deployed, queue: Queue, people: Path, row: dict[str, Any], sentence: str
) -> None:
    deployed.put("CampaignsTable", {"campaign": "spring"} | row)
    told = imported(people)
    assert (told.status, sentence in told.said, queue.taken()) == (1, True, [])


def test_a_second_run_enqueues_nothing(deployed: Deployed, queue: Queue, people: Path) -> None:
    imported(people)
    queue.taken()
    told = imported(people)
    assert (told.status, queue.taken()) == (0, [])
    assert "Going on after 180 of 180" in told.said


def test_a_stack_that_was_made_anew_gets_everything(deployed: Deployed, queue: Queue, people: Path) -> None:
    imported(people)
    queue.taken()
    deployed.dynamodb.delete_item(TableName="CampaignsTable", Key={"campaign": {"S": "spring"}})
    assert imported(people).status == 0
    assert len(queue.taken()) == 180


@pytest.mark.parametrize("seed", range(6))
def test_wherever_it_is_killed_everybody_gets_one_send_under_one_id(
    deployed: Deployed, queue: Queue, people: Path, seed: int
) -> None:
    chance = random.Random(seed)
    bodies: list[dict[str, Any]] = []
    for _ in range(5):
        queue.die(chance.randrange(8), after=chance.random() < 0.5)
        with suppress(Killed):
            imported(people)
        bodies += queue.taken()
    queue.live()
    assert imported(people).status == 0
    bodies += queue.taken()
    payloads = {(each["id"], each["content"], *each["mobiles"]) for each in bodies}
    assert len({each["id"] for each in bodies}) == len(payloads) == 180
    assert Counter(mobile for _, _, *mobiles in payloads for mobile in mobiles) == Counter(
        str(13700000001 + number) for number in range(200)
    )


def test_it_goes_on_where_it_was(deployed: Deployed, queue: Queue, people: Path) -> None:
    queue.die(7, trouble=KeyboardInterrupt)
    told = imported(people)
    assert told.status == 130
    went_in = len(queue.taken())
    assert 0 < went_in < 180
    queue.live()
    again = imported(people)
    assert (again.status, "Going on after" in again.said) == (0, True)
    assert len(queue.taken()) < 180


def test_ctrl_c_says_how_far_it_is_and_how_to_go_on(deployed: Deployed, queue: Queue, people: Path) -> None:
    queue.die(5, trouble=KeyboardInterrupt)
    told = imported(people)
    assert (told.status, "of 180 sends are enqueued. The same line goes on from there." in told.said) == (
        130,
        True,
    )


def test_aws_that_fails_half_way_is_told_with_what_went_in(deployed: Deployed, queue: Queue, people: Path) -> None:
    queue.die(5, trouble=StoreUnavailable)
    told = imported(people)
    found = re.search(r"(\d+) of 180 sends are enqueued, (\d+) are not", told.said)
    assert found
    assert (told.status, int(found[1]) + int(found[2])) == (1, 180)
    queue.live()
    before = {each["id"] for each in queue.taken()}
    assert imported(people).status == 0
    assert len(before | {each["id"] for each in queue.taken()}) == 180


def test_a_message_that_one_batch_lost_is_enqueued_by_the_next_run(
    deployed: Deployed, queue: Queue, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = queue.put

    def loses_the_third(lane: Lane, messages: Sequence[Message]) -> dict[int, Refusal]:
        put(lane, [each for each in messages if each.send_id != "spring:4"])
        lost = Refusal("sqs InvalidMessageContents", lasting=True)
        return {place: lost for place, each in enumerate(messages) if each.send_id == "spring:4"}

    with monkeypatch.context() as patched:
        patched.setattr(queue, "put", loses_the_third)
        assert imported(people).status == 1
    assert "spring:4" not in {each["id"] for each in queue.taken()}
    assert imported(people).status == 0
    assert "spring:4" in {each["id"] for each in queue.taken()}


def test_a_preview_of_marketing_needs_no_stack(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KXT_STACK", raising=False)
    monkeypatch.setattr(Stack, "local", lambda: None)
    told = imported(people, "--category", "marketing", "--dry-run", "--json")
    assert (told.status, told.json["people"]) == (0, 200)


def test_people_who_have_opted_out_are_told_and_are_no_fault(
    deployed: Deployed, queue: Queue, people: Path, tmp_path: Path
) -> None:
    kxt("optout", "add", "13700000005", "13900000000")
    report = tmp_path / "told.csv"
    told = imported(people, "--category", "marketing", "--report", str(report))
    assert (told.status, len(queue.taken())) == (0, 180)
    assert "line 6: has opted out, and is left out." in told.said
    assert '6,"has opted out, and is left out."' in report.read_text("utf-8-sig")
    assert "opted out" not in imported(people, campaign="water").said
