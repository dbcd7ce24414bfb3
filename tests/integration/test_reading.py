"""The read side on the template's tables: every question, in order, over pages, and when AWS does not answer.

Rows are put here as the contract's section 4 has them; that they are what the functions write is shown where those
are tested.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kuaixintong import status
from kuaixintong.core.errors import SettingsMissing, StoreUnavailable
from kuaixintong.stores.dynamo import to_item
from tests.aws_faults import Faults, refusal
from tests.reading import FIRST, SECOND, TOKEN, Tables

# --- a send -----------------------------------------------------------------------------------------------------


def test_a_send_is_its_parts_each_with_the_reports_of_its_own_token(reading: Tables) -> None:
    reading.part("1", state="ACCEPTED", token="376", mobiles=[FIRST])
    reading.part("2", state="ACCEPTED", token="377", mobiles=[SECOND])
    reading.part("1", send_id="order-2", state="ACCEPTED", token="378", mobiles=[FIRST])
    first = reading.report(FIRST, token="376")
    second = reading.report(SECOND, "2:46", token="377")
    reading.report(FIRST, "2:46", token="378")
    found = reading.lookup.delivery_status("order-1")
    assert found.send_id == "order-1"
    assert found.mobiles == {FIRST: "delivered", SECOND: "failed"}
    assert [(part.part, part.token, part.reports) for part in found.parts] == [
        ("1", "376", (first,)),
        ("2", "377", (second,)),
    ]


def test_a_part_without_a_token_asks_for_no_reports(reading: Tables) -> None:
    reading.part("1", state="UNCONFIRMED")
    assert reading.lookup.delivery_status("order-1").mobiles == {FIRST: "pending"}
    assert [asked["TableName"] for asked in reading.asked] == [reading.names["SendsTable"]]


def test_a_send_that_nobody_knows_has_no_parts(reading: Tables) -> None:
    found = reading.lookup.delivery_status("order-9")
    assert (found.parts, found.mobiles, found.invalid_mobiles) == ((), {}, {})


def test_a_divided_part_is_shown_only_where_it_names_bad_numbers(reading: Tables) -> None:
    bad = [{"mobile": "12345", "reason": "not 11 digits"}]
    reading.part("1", state="SPLIT", mobiles=None, divided=[FIRST, "13700000003", SECOND], invalid_mobiles=bad)
    reading.part("1.1", state="SPLIT", mobiles=None, positions=[0, 2])
    reading.part("1.1.1", state="REJECTED", mobiles=[], invalid_mobiles=[{"mobile": FIRST, "reason": "310 …"}])
    reading.part("1.1.2", mobiles=None, positions=[1, 2])
    reading.part("1.2", mobiles=[SECOND])
    found = reading.lookup.delivery_status("order-1")
    assert [part.part for part in found.parts] == ["1", "1.1.1", "1.1.2", "1.2"]
    assert found.mobiles == {"13700000003": "pending", SECOND: "pending"}
    assert found.invalid_mobiles == {"12345": "not 11 digits", FIRST: "310 …"}


def test_a_report_in_another_notation_meets_its_mobile(reading: Tables) -> None:
    reading.part(state="ACCEPTED", token=TOKEN, mobiles=[FIRST, SECOND])
    reading.report(f"86{FIRST}")
    reading.report(SECOND, "0")
    reading.report(f"+86{SECOND}", "2:46")
    assert reading.lookup.delivery_status("order-1").mobiles == {FIRST: "delivered", SECOND: "mixed"}


# --- a token ----------------------------------------------------------------------------------------------------


def test_a_part_is_found_whole_by_its_token(reading: Tables) -> None:
    reading.part("1", state="ACCEPTED", token="377")
    row = reading.part("2.1", send_id="order-2", state="ACCEPTED", token=TOKEN, content="x", fee=2)
    assert reading.lookup.part_of(TOKEN) == row


def test_a_token_that_no_row_has_noted_is_nobodys(reading: Tables) -> None:
    reading.part("1", state="ACCEPTED", token="3761")
    assert reading.lookup.part_of(TOKEN) is None


def test_a_row_that_has_gone_since_the_index_was_read_is_nobodys(reading: Tables) -> None:
    row = reading.part(state="ACCEPTED", token=TOKEN)
    key = to_item({name: row[name] for name in ("send_id", "part")})

    def expire(**_: Any) -> None:
        reading.client.delete_item(TableName=reading.names["SendsTable"], Key=key)

    reading.reader.meta.events.register("before-call.dynamodb.GetItem", expire)
    assert reading.lookup.part_of(TOKEN) is None


def test_the_reports_of_a_token_come_by_mobile_and_code(reading: Tables) -> None:
    rows = [reading.report(*each) for each in ((SECOND, "2:46"), (FIRST, "DELIVRD"), (FIRST, "0"))]
    reading.report(FIRST, token="377")
    assert list(reading.lookup.reports_of_token(TOKEN)) == [rows[2], rows[1], rows[0]]


# --- a mobile, a day --------------------------------------------------------------------------------------------


def test_the_reports_of_a_mobile_come_as_they_were_received_whatever_their_send(reading: Tables) -> None:
    moments = ("2026-11-23T12:00:02.000+08:00", "2026-11-23T12:00:01.000+08:00", "2026-11-24T00:00:00.000+08:00")
    late, early, last = (
        reading.report(FIRST, token=str(number), received_at=moment) for number, moment in enumerate(moments)
    )
    reading.report(SECOND)
    assert list(reading.lookup.reports_of_mobile(FIRST)) == [early, late, last]
    assert list(reading.lookup.reports_of_mobile("13700000009")) == []


def test_the_mos_of_a_mobile_come_oldest_first(reading: Tables) -> None:
    late, early = reading.mo("2026-11-24 08:00:00"), reading.mo("2026-11-23 23:59:59")
    reading.mo("2026-11-23 23:59:59", mobile=SECOND)
    assert list(reading.lookup.mos_of_mobile(FIRST)) == [early, late]


def test_the_mos_of_a_day_come_oldest_first_whoever_sent_them(reading: Tables) -> None:
    late, early = reading.mo("2026-11-23 23:59:59"), reading.mo("2026-11-23 00:00:00", mobile=SECOND)
    reading.mo("2026-11-22 23:59:59")
    reading.mo("2026-11-24 00:00:00")
    assert list(reading.lookup.mos_of_day("2026-11-23")) == [early, late]
    assert list(reading.lookup.mos_of_day("2026-11-25")) == []


@pytest.mark.parametrize("written", [f"+86 {FIRST}", f"0086{FIRST}", "137-0000-0001"])
def test_a_mobile_is_found_however_it_is_written(reading: Tables, written: str) -> None:
    report, mo = reading.report(FIRST), reading.mo("2026-11-24 08:00:00")
    assert list(reading.lookup.reports_of_mobile(written)) == [report]
    assert list(reading.lookup.mos_of_mobile(written)) == [mo]


def test_a_number_that_is_no_mobile_is_looked_up_as_it_is(reading: Tables) -> None:
    report, mo = reading.report("10086"), reading.mo("2026-11-24 08:00:00", mobile="10086")
    assert list(reading.lookup.reports_of_mobile("10086")) == [report]
    assert list(reading.lookup.mos_of_mobile("10086")) == [mo]


# --- what needs a person ----------------------------------------------------------------------------------------


def test_attention_lists_every_reason_the_longest_untouched_first_of_each(reading: Tables) -> None:
    for number, (reason, moment) in enumerate(
        (
            ("GAVE_UP", "2026-11-21"),
            ("UNCONFIRMED", "2026-11-23"),
            ("UNCONFIRMED", "2026-11-22"),
            ("NO_TOKEN", "2026-11-24"),
            ("PROTOCOL", "2026-11-25"),
            (None, "2026-11-20"),
            ("REFUSED.7", "2026-11-21"),
            ("REFUSED.0", "2026-11-22"),
        )
    ):
        reading.part(send_id=f"order-{number}", attention=reason, updated_at=moment, advice=reason and "Look.")
    found = [(row["attention"], row["send_id"], row["part"], row["advice"]) for row in reading.lookup.attention()]
    assert sorted(found) == [
        ("GAVE_UP", "order-0", "1", "Look."),
        ("NO_TOKEN", "order-3", "1", "Look."),
        ("PROTOCOL", "order-4", "1", "Look."),
        ("REFUSED.0", "order-7", "1", "Look."),
        ("REFUSED.7", "order-6", "1", "Look."),
        ("UNCONFIRMED", "order-1", "1", "Look."),
        ("UNCONFIRMED", "order-2", "1", "Look."),
    ]
    unconfirmed = [send_id for reason, send_id, *_ in found if reason == "UNCONFIRMED"]
    assert unconfirmed == ["order-2", "order-1"]


# --- pages ------------------------------------------------------------------------------------------------------


def test_every_question_is_answered_whole_over_as_many_pages_as_it_takes(reading: Tables) -> None:
    for number in range(1, 6):
        moment = f"2026-11-23T12:00:0{number}.000+08:00"
        reading.part(
            str(number), state="ACCEPTED", token=TOKEN, mobiles=[f"1370000000{number}"], attention="NO_TOKEN",
            updated_at=moment,
        )  # fmt: skip
        reading.report(f"1370000000{number}", received_at=moment)
        reading.report(FIRST, f"2:4{number}", received_at=moment)
        reading.mo(f"2026-11-23 12:00:0{number}")
    lookup = reading.lookup
    questions: dict[str, Callable[[], list[Any]]] = {
        "parts": lambda: list(lookup.delivery_status("order-1").parts),
        "reports of a token": lambda: list(lookup.reports_of_token(TOKEN)),
        "reports of a mobile": lambda: list(lookup.reports_of_mobile(FIRST)),
        "MOs of a mobile": lambda: list(lookup.mos_of_mobile(FIRST)),
        "MOs of a day": lambda: list(lookup.mos_of_day("2026-11-23")),
        "attention": lambda: list(lookup.attention()),
    }
    whole = {name: ask() for name, ask in questions.items()}
    assert {name: len(rows) for name, rows in whole.items()} == {
        "parts": 5,
        "reports of a token": 10,
        "reports of a mobile": 6,
        "MOs of a mobile": 5,
        "MOs of a day": 5,
        "attention": 5,
    }
    for size in (1, 2, 5):
        reading.page = size
        for name, ask in questions.items():
            assert ask() == whole[name], f"{name} in pages of {size}"


def test_a_page_is_read_when_it_is_needed(reading: Tables) -> None:
    for number in range(1, 6):
        reading.mo(f"2026-11-23 12:00:0{number}")
    reading.page = 2
    mos = reading.lookup.mos_of_day("2026-11-23")
    assert reading.asked == []
    assert [next(mos)["message_key"][:19] for _ in range(2)] == ["2026-11-23 12:00:01", "2026-11-23 12:00:02"]
    assert len(reading.asked) == 1
    next(mos)
    assert len(reading.asked) == 2


# --- when AWS does not answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2])
def test_a_store_that_fails_at_any_page_is_told_as_ours_and_quotes_nothing(reading: Tables, page: int) -> None:
    for number in range(3):
        reading.mo(f"2026-11-23 12:00:0{number}")
    reading.page = 1
    Faults(reading.reader, "Query", lambda n: refusal("ThrottlingException") if n + 1 == page else None)
    with pytest.raises(StoreUnavailable) as caught:
        list(reading.lookup.mos_of_mobile(FIRST))
    assert str(caught.value) == "DynamoDB Query: ThrottlingException"


def test_a_store_that_fails_when_a_part_is_fetched_is_told_as_ours(reading: Tables) -> None:
    reading.part(state="ACCEPTED", token=TOKEN)
    Faults(reading.reader, "GetItem", lambda _: refusal("InternalServerError", 500))
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB GetItem: InternalServerError$"):
        reading.lookup.part_of(TOKEN)


# --- wired by the environment -----------------------------------------------------------------------------------


@pytest.fixture
def environment(reading: Tables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    for name in ("Sends", "Reports", "Inbound"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", reading.names[f"{name}Table"])
    status.lookup.cache_clear()
    yield reading
    status.lookup.cache_clear()


def test_the_tables_are_those_that_the_environment_names(environment: Tables) -> None:
    environment.part(state="ACCEPTED", token=TOKEN)
    environment.report()
    mo = environment.mo("2026-11-23 12:00:00")
    assert status.delivery_status("order-1").mobiles == {FIRST: "delivered"}
    assert list(status.lookup().mos_of_mobile(FIRST)) == [mo]
    assert status.lookup() is status.lookup()


def test_tables_that_the_environment_does_not_name_are_told(
    environment: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPORTS_TABLE")
    with pytest.raises(SettingsMissing, match=r": REPORTS_TABLE is missing\.$"):
        status.delivery_status("order-1")
