"""Campaigns: written once, by whoever names one first, and read as they are now."""

from datetime import UTC, datetime, timedelta

from kuaixintong.core.change import Change
from kuaixintong.stores.campaigns import Campaign, Campaigns
from tests.memory_table import MemoryTable

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
STAMP = "2026-11-24T00:00:00.000+08:00"
LATER = NOW + timedelta(hours=1)
KEY = {"campaign": "autumn"}


def campaigns() -> tuple[Campaigns, MemoryTable]:
    table = MemoryTable("CampaignsTable")
    return Campaigns(table, timedelta(days=180)), table


def test_a_campaign_that_nobody_has_named_is_none() -> None:
    assert campaigns()[0].get("autumn") is None


def test_a_campaign_is_named_with_its_beijing_day_its_source_and_digest() -> None:
    ours, table = campaigns()
    assert ours.name("autumn", now=NOW, source="people.csv", digest="abc") is None
    expires_at = int((NOW + timedelta(days=180)).timestamp())
    assert table.get(KEY) == KEY | {
        "created_at": STAMP,
        "day": "2026-11-24",
        "source": "people.csv",
        "digest": "abc",
        "expires_at": expires_at,
    }
    assert ours.get("autumn") == Campaign("autumn", STAMP, "people.csv", "abc")


def test_whoever_names_it_second_learns_what_stands_there_and_changes_nothing() -> None:
    ours, table = campaigns()
    ours.name("autumn", now=NOW, source="people.csv", digest="abc")
    row = table.get(KEY)
    assert ours.name("autumn", now=LATER, source="others.csv", digest="def") == Campaign(
        "autumn", STAMP, "people.csv", "abc"
    )
    assert table.get(KEY) == row


def test_a_cancel_is_seen_at_once() -> None:
    ours, table = campaigns()
    ours.name("autumn", now=NOW)
    table.update(KEY, Change({"cancelled_at": STAMP}))
    found = ours.get("autumn")
    assert found is not None
    assert found.cancelled == NOW


def test_a_mark_without_a_name_is_a_campaign_too() -> None:
    ours, table = campaigns()
    table.put(KEY | {"cancelled_at": STAMP})
    assert ours.get("autumn") == Campaign("autumn", None, "queue", None, NOW)


def test_a_process_that_has_made_sure_of_a_campaign_asks_no_more() -> None:
    ours, table = campaigns()
    ours.make_sure("autumn", now=NOW)
    assert table.get(KEY) is not None
    table.rows.clear()
    ours.make_sure("autumn", now=LATER)
    assert table.rows == {}
    ours.make_sure("winter", now=LATER)
    assert [row["campaign"] for row in table.rows.values()] == ["winter"]


def test_a_process_remembers_a_thousand_campaigns_and_no_more() -> None:
    ours, table = campaigns()
    for number in range(1_001):
        ours.make_sure(str(number), now=NOW)
    table.rows.clear()
    ours.make_sure("1000", now=NOW)
    assert table.rows == {}
    ours.make_sure("0", now=NOW)
    assert len(table.rows) == 1
