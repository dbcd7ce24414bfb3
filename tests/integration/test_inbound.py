"""MOs in their table: as they came, by mobile and by day."""

import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from kuaixintong.core.messages import MO
from kuaixintong.stores.batch import Stamp, Writer
from kuaixintong.stores.inbound import Inbound
from tests.template import create_tables

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
STAMP = Stamp.at(NOW, timedelta(days=180))
MOBILE, OTHER = "13700000001", "13700000002"
DATES = [f"2026-11-{day} 23:59:5{second}" for day in (22, 23) for second in (7, 8)]


@pytest.fixture
def inbound(aws: None) -> Inbound:
    client = boto3.client("dynamodb")
    return Inbound(client, create_tables(client, "in-")["InboundTable"])


def put(inbound: Inbound, *mos: MO) -> int:
    writer = Writer(boto3.client("dynamodb"), threads=2)
    return inbound.put(mos, STAMP, writer, deadline=time.monotonic() + 60)


def test_an_mo_is_there_as_it_came(inbound: Inbound) -> None:
    pushed = MO(MOBILE, "好的", DATES[0], mobile_as_pushed=f"+86{MOBILE}", extra='{"linkid": "1"}')
    plain = MO(OTHER, "", DATES[0])
    assert put(inbound, pushed, plain) == 2
    common = {
        "day": "2026-11-22",
        "smg_recv_date": DATES[0],
        "received_at": "2026-11-23T12:00:00.000+08:00",
        "expires_at": int((NOW + timedelta(days=180)).timestamp()),
    }
    assert [*inbound.of_mobile(MOBILE)] == [
        {
            "mobile": MOBILE,
            "message_key": pushed.message_key,
            "content": "好的",
            "mobile_as_pushed": f"+86{MOBILE}",
            "extra": '{"linkid": "1"}',
        }
        | common
    ]
    assert [*inbound.of_mobile(OTHER)] == [
        {"mobile": OTHER, "message_key": plain.message_key, "content": ""} | common
    ]


def test_a_mobiles_mos_come_in_the_gateways_order_up_to_any_of_them(inbound: Inbound) -> None:
    mos = [MO(MOBILE, f"{number}", date) for number, date in enumerate(DATES)]
    put(inbound, *reversed(mos))
    assert [each["content"] for each in inbound.of_mobile(MOBILE)] == ["0", "1", "2", "3"]
    assert [each["content"] for each in inbound.of_mobile(MOBILE, newest_first=True)] == ["3", "2", "1", "0"]
    up_to = inbound.of_mobile(MOBILE, up_to=mos[1].message_key)
    assert [each["content"] for each in up_to] == ["0", "1"]


def test_a_days_mos_are_those_of_all_mobiles(inbound: Inbound) -> None:
    put(inbound, MO(MOBILE, "1", DATES[2]), MO(OTHER, "2", DATES[3]), MO(OTHER, "3", DATES[0]))
    assert [each["content"] for each in inbound.of_day("2026-11-23")] == ["1", "2"]
