"""What inference looks up: consistently where it has to be certain, and counted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.ledger import Attention
from kuaixintong.stores.evidence import Evidence
from kuaixintong.stores.query import Sorted

if TYPE_CHECKING:
    from kuaixintong.stores.table import Table

THEN, LATER = "2026-11-01T00:00:00.000+08:00", "2026-11-25T00:00:00.000+08:00"


class FakeTable:
    """Yields rows whatever it is asked, and writes down what that was."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows
        self.asked: list[dict[str, Any]] = []

    def query(self, name: str, value: str, **wanted: Any) -> Iterator[dict[str, Any]]:
        self.asked.append({name: value} | wanted)
        yield from self.rows


def evidence(
    sends: FakeTable | None = None, reports: FakeTable | None = None, outbound: FakeTable | None = None
) -> Evidence:
    tables = (each or FakeTable() for each in (sends, reports, outbound))
    return Evidence(*(cast("Table", each) for each in tables))


def test_unconfirmed_parts_are_found_by_the_listing_from_a_moment_on() -> None:
    sends = FakeTable({"send_id": "a"})
    assert [*evidence(sends).unconfirmed(THEN)] == [{"send_id": "a"}]
    assert sends.asked == [
        {"attention": Attention.UNCONFIRMED, "index": "by-attention", "sort": Sorted("updated_at", since=THEN)}
    ]


def test_older_parts_are_those_that_were_born_before_and_have_not_moved_since() -> None:
    sends = FakeTable({"created_at": THEN}, {"created_at": LATER}, {"part": "of no known birth"})
    found = [*evidence(sends).older("2026-11-02T00:00:00.000+08:00", LATER)]
    assert found == [{"created_at": THEN}, {"part": "of no known birth"}] * 3
    assert [each["attention"] for each in sends.asked] == ["UNCONFIRMED", "NO_TOKEN", "GAVE_UP"]
    assert all(each["sort"] == Sorted("updated_at", up_to=LATER) for each in sends.asked)


def test_a_family_is_a_part_and_its_halves_as_they_are_now() -> None:
    sends = FakeTable({"part": "1"}, {"part": "1.1"})
    assert evidence(sends).family("a", "1") == [{"part": "1"}, {"part": "1.1"}]
    (asked,) = sends.asked
    assert (asked["send_id"], asked["consistent"]) == ("a", True)
    assert all(part in asked["sort"] for part in ("1", "1.1", "1.2.2"))
    assert not any(part in asked["sort"] for part in ("0", "10", "11", "2"))


@pytest.mark.parametrize("rows", [(), ({"send_id": "a"},)])
def test_a_token_is_somebodys_or_nobodys(rows: tuple[dict[str, Any], ...]) -> None:
    sends = FakeTable(*rows)
    assert evidence(sends).noted("376") is bool(rows)
    assert sends.asked == [{"token": "376", "index": "by-token"}]


def test_tokens_of_a_mobile_are_those_of_its_first_reports_from_a_moment_on() -> None:
    rows = [{"token": str(number % 2), "received_at": str(number)} for number in range(5)]
    reports = FakeTable(*rows)
    assert evidence(None, reports).tokens_of("137", since=THEN, most=3) == {"0": "2", "1": "1"}
    assert reports.asked == [{"mobile": "137", "index": "by-mobile", "sort": Sorted("received_at", since=THEN)}]


def test_whom_a_token_was_reported_for_and_whom_a_part_went_to_is_read_consistently() -> None:
    reports, outbound = FakeTable({"mobile": "137"}), FakeTable({"send_id": "a", "part": "1"})
    looked = evidence(None, reports, outbound)
    assert [*looked.reports_of("376")] == [{"mobile": "137"}]
    assert [*looked.sends_to("137")] == [{"send_id": "a", "part": "1"}]
    assert looked.is_listed("a", "137")
    assert not evidence().is_listed("a", "137")
    assert reports.asked == [{"token": "376", "fields": ("mobile", "received_at"), "consistent": True}]
    assert outbound.asked == [
        {"mobile": "137", "fields": ("send_id", "part"), "consistent": True},
        {
            "mobile": "137",
            "fields": ("send_id",),
            "sort": Sorted("send_id", since="a", up_to="a"),
            "consistent": True,
        },
    ]


@pytest.mark.parametrize(("rows", "reads"), [(0, 1), (1, 1)])
def test_each_look_is_counted(rows: int, reads: int) -> None:
    looked = evidence(FakeTable(*[{"part": "1"}] * rows))
    looked.family("a", "1")
    assert looked.reads == reads


def test_what_is_long_is_counted_by_its_pages() -> None:
    few, many = evidence(FakeTable(*[{}] * 10)), evidence(FakeTable(*[{}] * 100_000))
    for looked in (few, many):
        assert looked.family("a", "1")
    assert many.reads > few.reads == 1
