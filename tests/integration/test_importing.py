"""A file of people: what it becomes, whose campaign it is, and how far it is; ``kxt import`` shows the rest."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.enqueueing import Enqueued, NotEnqueued
from kuaixintong.core.errors import FileRefused, SendRefused
from kuaixintong.core.lanes import Lane
from kuaixintong.core.people import Fault
from kuaixintong.importing import Bookmark, Import, write_faults
from kuaixintong.optouts import OptOut
from kuaixintong.stores.campaigns import Campaigns
from tests.memory_table import MemoryTable

if TYPE_CHECKING:
    from kuaixintong.optouts import OptOuts
    from kuaixintong.producer import Outbox

PEOPLE = "mobile,name\n13700000001,王\n13700000002,李\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, "utf-8")
    return path


def test_a_bookmark_counts_for_the_campaign_that_it_was_kept_for(tmp_path: Path) -> None:
    kept = Bookmark(tmp_path / "states" / "1", since="then")
    for _ in range(250):
        kept.move()
    assert Bookmark(tmp_path / "states" / "1", since="then").place == 200
    kept.keep()
    assert Bookmark(tmp_path / "states" / "1", since="then").place == 250
    assert Bookmark(tmp_path / "states" / "1", since="later").place == 0


@pytest.mark.parametrize("text", ["", "then", "then\nx", "then\n1\n2"])
def test_a_bookmark_that_cannot_be_read_costs_time_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "1").write_text(text)
    assert Bookmark(tmp_path / "1", since="then").place == 0


def test_a_bookmark_that_cannot_be_kept_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "states").write_text("a file where a folder should be")
    kept = Bookmark(tmp_path / "states" / "1", since="then")
    kept.move()
    kept.keep()
    assert kept.place == 1


def test_the_digest_is_the_files_the_texts_and_the_options(path: Path) -> None:
    def digest(text: str = "{name}", **more: str | bool) -> str:
        return Import.read(path, text=text, campaign="spring", **more).digest  # type: ignore[arg-type]

    same = digest()
    others = {digest("x"), digest(category="marketing"), digest(mobile="mobile"), digest(leave_out=True)}
    assert digest(category=None) == same  # type: ignore[arg-type]
    path.write_text(PEOPLE + "\n", "utf-8")
    others.add(digest())
    assert len(others | {same}) == 6


def test_a_list_of_faults_is_a_file_that_a_spreadsheet_opens(tmp_path: Path) -> None:
    write_faults(tmp_path / "faults.csv", [Fault(0, "The file is empty."), Fault(3, "=1+1, is no column.")])
    assert (tmp_path / "faults.csv").read_text("utf-8-sig").splitlines() == [
        "line,what is wrong",
        ",The file is empty.",
        '3,"\'=1+1, is no column."',
    ]


# --- what it becomes --------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
SINCE = "2026-11-24T00:00:00.000+08:00"


def read(path: Path, **more: Any) -> Import:
    return Import.read(path, **{"text": "{name}，您好", "campaign": "spring"} | more)


def test_an_import_is_its_sends_with_the_fields_that_all_of_them_share(path: Path) -> None:
    people = read(path, category="marketing", at_time=None)
    assert (people.campaign, people.common, people.source) == ("spring", {"category": "marketing"}, "people.csv")
    assert people.since is None
    assert [*people.plan.fields("spring", people.common)] == [
        {
            "id": f"spring:{line}",
            "mobiles": [mobile],
            "content": f"{name}，您好",
            "campaign": "spring",
            "category": "marketing",
        }
        for line, mobile, name in ((2, "13700000001", "王"), (3, "13700000002", "李"))
    ]


def test_a_column_of_mobiles_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("one,other\n13700000001,13700000002\n", "utf-8")
    chosen = [each["mobiles"] for each in read(path, text="x", mobile="other").plan.fields("spring", {})]
    assert chosen == [["13700000002"]]


def test_a_text_that_cannot_be_read_is_a_plan_with_the_fault_alone(path: Path) -> None:
    people = read(path, category="marketing", text="{}")
    assert len(people.plan.faults) == 1
    assert [*people.plan.fields("spring", {})] == []
    assert (people.campaign, people.common, people.source, people.digest) == (
        *("spring", {"category": "marketing"}),
        *("people.csv", ""),
    )


@pytest.mark.parametrize("wrong", [{"campaign": "a b"}, {"campaign": "x" * 129}, {"category": "news"}])
def test_a_field_that_breaks_a_rule_is_told_before_the_file_is_read(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(SendRefused, match=next(iter(wrong))):
        read(tmp_path / "there is none", **wrong)


def test_whoever_has_opted_out_is_told_by_the_line(path: Path) -> None:
    class Out:
        def list(self) -> Iterator[OptOut]:
            yield from (OptOut(mobile, SINCE, "") for mobile in ("13700000002", "13700000009"))

    assert read(path).opted_out(cast("OptOuts", Out())) == [Fault(3, "has opted out, and is left out.")]


# --- whose campaign it is ---------------------------------------------------------------------------------------


def campaigns() -> Campaigns:
    return Campaigns(MemoryTable("CampaignsTable"), timedelta(days=180))


def test_an_import_claims_its_campaign_once_and_finds_it_again(path: Path) -> None:
    ours, people = campaigns(), read(path)
    claimed = people.claim(ours, now=NOW)
    assert (claimed, claimed.since) == (people, SINCE)
    standing = ours.get("spring")
    assert standing is not None
    assert (standing.source, standing.digest) == ("people.csv", people.digest)
    assert people.claim(ours, now=NOW + timedelta(hours=1)).since == SINCE


def test_a_claim_is_of_now_if_nobody_says_when(path: Path) -> None:
    since = read(path).claim(campaigns()).since
    assert since is not None
    assert abs(datetime.now(UTC) - datetime.fromisoformat(since)) < timedelta(minutes=1)


def test_another_file_under_the_same_campaign_is_refused_with_what_stands_there(path: Path) -> None:
    ours = campaigns()
    read(path).claim(ours, now=NOW)
    with pytest.raises(FileRefused, match=re.escape(f"stands for the file people.csv since {SINCE}, ")):
        read(path, text="another").claim(ours, now=NOW)


def test_a_campaign_that_came_by_the_queue_is_no_files(path: Path) -> None:
    ours = campaigns()
    ours.name("spring", now=NOW)
    with pytest.raises(FileRefused, match=re.escape(f"stands for sends that came by queue since {SINCE}, ")):
        read(path).claim(ours, now=NOW)


def test_nothing_is_enqueued_under_a_campaign_that_is_cancelled(path: Path) -> None:
    ours = campaigns()
    read(path).claim(ours, now=NOW)
    ours.cancel("spring", now=NOW)
    with pytest.raises(FileRefused, match="The campaign spring is cancelled: "):
        read(path).claim(ours, now=NOW)


# --- enqueued ---------------------------------------------------------------------------------------------------


class FakeOutbox:
    """Takes sends; those whose ids are in ``refused`` do not go in."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.taken: list[Mapping[str, Any]] = []

    def send_each(self, sends: Iterable[Mapping[str, Any]]) -> Iterator[Enqueued | NotEnqueued]:
        for index, each in enumerate(sends):
            self.taken.append(each)
            if each["id"] in self.refused:
                yield NotEnqueued(index, each["id"], "throttled", certain=True, went_in=(), fields=each)
            else:
                yield Enqueued(index, each["id"], (each["id"],), Lane.ORDINARY, "spring")


def enqueue(people: Import, outbox: FakeOutbox, bookmark: Bookmark | None = None) -> list[Enqueued | NotEnqueued]:
    return [*people.enqueue(cast("Outbox", outbox), bookmark)]


def test_sends_go_in_with_what_they_share_and_it_is_told_of_each(path: Path) -> None:
    people, outbox = read(path, category="marketing"), FakeOutbox("spring:2")
    first, second = enqueue(people, outbox)
    assert (type(first), type(second)) == (NotEnqueued, Enqueued)
    assert outbox.taken == [*people.plan.fields("spring", {"category": "marketing"})]


def test_a_bookmark_moves_as_far_as_sends_went_in_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n" + "".join(f"1370000000{n},{n}\n" for n in range(5)), "utf-8")
    people, bookmark = read(path), Bookmark(tmp_path / "bookmark", since="then")
    outbox = FakeOutbox("spring:4")
    assert len(enqueue(people, outbox, bookmark)) == 5
    assert Bookmark(tmp_path / "bookmark", since="then").place == 2
    outbox = FakeOutbox()
    assert len(enqueue(people, outbox, Bookmark(tmp_path / "bookmark", since="then"))) == 3
    assert [each["id"] for each in outbox.taken] == ["spring:4", "spring:5", "spring:6"]
    assert Bookmark(tmp_path / "bookmark", since="then").place == 5


def test_a_bookmark_is_kept_where_the_reader_stops(path: Path, tmp_path: Path) -> None:
    outcomes = read(path).enqueue(cast("Outbox", FakeOutbox()), Bookmark(tmp_path / "bookmark", since=""))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # a generator
    assert Bookmark(tmp_path / "bookmark", since="").place == 1


def test_a_bookmark_is_of_one_queue_campaign_and_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(people: Import, where: str = "queue") -> int:
        return people.bookmark(where).place

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    people = read(path).claim(campaigns(), now=NOW)
    mark = people.bookmark("queue")
    mark.move()
    mark.keep()
    assert [each.parent for each in (tmp_path / "states").rglob("*") if each.is_file()] == [
        tmp_path / "states" / "kxt" / "imports"
    ]
    others = [each.claim(campaigns(), now=NOW) for each in (read(path, text="x"), read(path, campaign="autumn"))]
    assert place(people) == 1
    assert place(people, "another") == 0
    assert [*map(place, others)] == [0, 0]
    assert place(read(path)) == 0  # claimed at no time


def test_bookmarks_lie_below_the_home_folder_where_nothing_else_is_said(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    read(path).bookmark("queue").keep()
    assert len([*(tmp_path / ".local" / "state" / "kxt" / "imports").iterdir()]) == 1
