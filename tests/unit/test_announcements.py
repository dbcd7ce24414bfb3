"""What is told of a part's end, a report and an MO, and the schemas that are published of it."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from kuaixintong.core import announcements, beijing
from kuaixintong.core.announcements import (
    ENDS,
    TOKEN_PATIENCE,
    Announcement,
    NotYet,
    Owner,
    PartEnded,
    Reported,
    Said,
)
from kuaixintong.core.ledger import Attention, State
from kuaixintong.core.sends import Category
from tests.template import load

SCHEMAS = Path(__file__).parents[2] / "docs" / "events"
FILES: dict[type[Announcement], str] = {PartEnded: "part", Reported: "report", Said: "mo"}
AT = "2026-11-23T12:00:00.000+08:00"

PART: dict[str, Any] = {
    "send_id": "order-4711",
    "part": "1",
    "state": "ACCEPTED",
    "revision": 3,
    "updated_at": AT,
    "mobiles": ["13708600860", "18930612517"],
    "content": "周末参加不了培训了",
    "token": "376",
    "fee": 2,
    "code": 0,
    "fingerprint": "f",
}
REPORT: dict[str, Any] = {
    "token": "376",
    "outcome": "13708600860#DELIVER#1",
    "mobile": "13708600860",
    "result_code": "DELIVER",
    "success": True,
    "received_at": AT,
    "expires_at": 1,
}
MO: dict[str, Any] = {
    "mobile": "13500000000",
    "message_key": "2015-01-01 12:00:00#0",
    "content": "你好吗",
    "smg_recv_date": "2015-01-01 12:00:00",
    "received_at": AT,
    "day": "2015-01-01",
}


def detail(event: object) -> dict[str, Any]:
    assert isinstance(event, PartEnded | Reported | Said)
    told: dict[str, Any] = json.loads(announcements.detail(event))
    jsonschema.validate(told, json.loads((SCHEMAS / f"{FILES[type(event)]}.schema.json").read_text("utf-8")))
    return told


# --- a part's end ------------------------------------------------------------------------------------------------


def test_a_parts_end_tells_what_became_of_it_and_not_what_it_says_or_whom_it_went_to() -> None:
    assert detail(announcements.of_part(PART)) == {
        "id": "order-4711#1#3",
        "send_id": "order-4711",
        "part": "1",
        "state": "ACCEPTED",
        "at": AT,
        "mobiles": 2,
        "category": "notice",
        "token": "376",
        "fee": 2,
        "code": 0,
    }


def test_what_the_row_knows_besides_is_told() -> None:
    row = PART | {"category": "otp", "campaign": "spring", "inferred": True, "words": "w" * 3_000}
    told = detail(announcements.of_part(row | {"attention": "NO_TOKEN"}))
    assert told.items() >= {"category": "otp", "campaign": "spring", "inferred": True}.items()
    assert (len(told["words"]), told["attention"]) == (2_000, "NO_TOKEN")


def test_a_refused_body_is_told_without_its_listings_shard() -> None:
    row = {"send_id": "m-1", "part": "1", "state": "REJECTED", "revision": 1, "updated_at": AT}
    told = detail(announcements.of_part(row | {"words": "mobiles is missing.", "attention": "REFUSED.5"}))
    assert (told["state"], told["attention"], told["mobiles"]) == ("REJECTED", "REFUSED", 0)


@pytest.mark.parametrize("state", [each for each in State if each not in ENDS])
def test_of_what_has_not_come_to_its_end_nothing_is_told(state: State) -> None:
    assert announcements.of_part(PART | {"state": str(state)}) is None


def test_every_end_is_one_of_the_ledgers_and_only_a_division_is_none() -> None:
    assert {str(state) for state in State if state.final} == {*ENDS, "SPLIT"}


def test_the_stream_lets_through_what_is_told_and_no_more() -> None:
    events = load()["Resources"]["EventsFunction"]["Properties"]["Events"]
    [pattern] = [
        json.loads(each["Pattern"]) for each in events["Parts"]["Properties"]["FilterCriteria"]["Filters"]
    ]
    assert set(pattern["dynamodb"]["NewImage"]["state"]["S"]) == ENDS
    assert pattern["eventName"] == ["INSERT", "MODIFY"]


# --- a report ----------------------------------------------------------------------------------------------------

NOW = beijing.from_iso(AT)


def report(owner: Owner | None, now: datetime = NOW) -> Reported | NotYet:
    return announcements.of_report(REPORT, owner, now=now)


def test_a_report_is_told_with_its_send() -> None:
    assert detail(report(Owner("order-4711", "1"))) == {
        "id": "376#13708600860#DELIVER#1",
        "token": "376",
        "mobile": "13708600860",
        "success": True,
        "result_code": "DELIVER",
        "received_at": AT,
        "send_id": "order-4711",
        "part": "1",
    }


def test_a_report_ahead_of_its_token_waits_and_is_then_told_without_a_send() -> None:
    assert report(None, NOW + TOKEN_PATIENCE - timedelta(milliseconds=1)) == NotYet()
    told = detail(report(None, NOW + TOKEN_PATIENCE))
    assert (told["token"], {"send_id", "part"} & told.keys()) == ("376", set())


# --- an MO -------------------------------------------------------------------------------------------------------


def test_an_mo_is_told_whole() -> None:
    assert detail(announcements.of_mo(MO)) == {
        "id": "13500000000#2015-01-01 12:00:00#0",
        "mobile": "13500000000",
        "content": "你好吗",
        "smg_recv_date": "2015-01-01 12:00:00",
        "received_at": AT,
    }


# --- the published schemas ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FILES)
def test_the_published_schema_is_the_one_that_makes_the_event(kind: type[Announcement]) -> None:
    again = (
        "PYTHONPATH=layers/kuaixintong .venv/bin/python -c "
        '"import json; from kuaixintong.core import announcements; '
        f'print(json.dumps(announcements.schema(announcements.{kind.__name__}), indent=2, ensure_ascii=False))" '
        f"> docs/events/{FILES[kind]}.schema.json"
    )
    published = json.loads((SCHEMAS / f"{FILES[kind]}.schema.json").read_text("utf-8"))
    assert published == announcements.schema(kind), f"to publish it anew: {again}"
    jsonschema.Draft202012Validator.check_schema(published)


def test_every_event_is_published_and_has_a_type_of_its_own() -> None:
    assert FILES.keys() == announcements.TYPES.keys() == set(get_args(Announcement.__value__))
    assert sorted(announcements.TYPES.values()) == ["MO", "Part Ended", "Report"]
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{name}.schema.json" for name in FILES.values()}


def test_a_schema_knows_every_category_and_every_reason_for_attention_fits() -> None:
    fields = msgspec.structs.fields(PartEnded)
    assert {each.name for each in fields} >= {"category", "attention"}
    schema = announcements.schema(PartEnded)
    assert schema["properties"]["category"]["enum"] == sorted(Category)
    for reason in Attention:
        assert detail(announcements.of_part(PART | {"attention": str(reason)}))["attention"] == reason
