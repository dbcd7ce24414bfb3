"""What people ask that is no part's own business: a day, a campaign, a mobile (contract, section 4).

It reads and never writes. Listings are sharded, since no key of an index may take all writes of a kind: whoever
wants all of a day or a campaign asks for every shard.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kuaixintong.core.errors import SettingsMissing
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import Item, from_item, to_item
from kuaixintong.stores.parts import BY_CAMPAIGN, BY_DAY, BY_TOKEN
from kuaixintong.stores.query import Sorted, items_of, pages_of, rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

ROWS_AT_ONCE = 25
"""Rows with all their mobiles that are asked for at once: if each has 10,000, they are 75 MB for a moment.

Where parts have few mobiles, twice as many.
"""

DAY_SHARD = "day_shard"
CAMPAIGN_SHARD = "campaign_shard"


@dataclass(frozen=True, slots=True)
class Tables:
    """Names of the tables that are read here. One that is ``None`` is missed only by who asks for it."""

    sends: str
    outbound: str | None = None
    campaigns: str | None = None
    mobiles: str | None = None
    account: str | None = None

    def named(self, which: str) -> str:
        """Return a table's name. Raises :class:`SettingsMissing`."""
        name: str | None = getattr(self, which)
        if name is None:
            raise SettingsMissing(f"Asking for this needs the {which} table: {which.upper()}_TABLE is missing.")
        return name


class Listings:
    """Lists of sends, by day, campaign and mobile, and what else holds for a mobile. Safe between threads."""

    def __init__(self, client: "DynamoDBClient", tables: Tables) -> None:
        self._client = client
        self._tables = tables

    # --- sends --------------------------------------------------------------------------------------------------

    def of_day(self, shard: str, *, up_to: str | None, at_once: int) -> Iterator[Item]:
        """Yield keys and ``created_at`` of a day's sends without a campaign, in one shard, newest first."""
        return self._newest(DAY_SHARD, shard, BY_DAY, up_to, at_once)

    def of_campaign(self, shard: str, *, up_to: str | None, at_once: int) -> Iterator[Item]:
        """Yield keys, state and token of a campaign's parts, in one shard, newest first."""
        return self._newest(CAMPAIGN_SHARD, shard, BY_CAMPAIGN, up_to, at_once)

    def in_order(self, shard: str, *, at_once: int) -> Iterator[Item]:
        """Yield the keys of a campaign's parts, in one shard, oldest first."""
        return rows_of(
            self._client, self._tables.sends, CAMPAIGN_SHARD, shard, index=BY_CAMPAIGN,
            fields=("send_id", "part"), at_once=at_once,
        )  # fmt: skip

    def states(self, shard: str) -> "Iterator[Sequence[Mapping[str, AttributeValueTypeDef]]]":
        """Yield ``part`` and ``state`` of a campaign's parts, in one shard, in DynamoDB's pages and notation."""
        return pages_of(
            self._client, self._tables.sends, CAMPAIGN_SHARD, shard, index=BY_CAMPAIGN, fields=("part", "state")
        )

    def _newest(self, key: str, shard: str, index: str, up_to: str | None, at_once: int) -> Iterator[Item]:
        return rows_of(
            self._client, self._tables.sends, key, shard, index=index,
            sort=Sorted("created_at", up_to=up_to), newest_first=True, at_once=at_once,
        )  # fmt: skip

    def rows(self, keys: Sequence[tuple[str, str]], fields: Sequence[str]) -> dict[tuple[str, str], Item]:
        """Return the parts' rows of up to 100 keys (``send_id``, ``part``), as many as are there."""
        wanted = [{"send_id": send_id, "part": part} for send_id, part in keys]
        found = items_of(self._client, self._tables.sends, wanted, fields=("send_id", "part", *fields))
        return {(row["send_id"], row["part"]): row for row in found}

    def row(self, send_id: str, part: str, fields: Sequence[str]) -> Item | None:
        """Return as much of one part's row as is wanted."""
        return self.rows([(send_id, part)], fields).get((send_id, part))

    def parts_of(self, send_id: str, fields: Sequence[str], *, within: str | None = None) -> Iterator[Item]:
        """Yield as much of a send's rows as is wanted; ``within`` a part: of its halves alone."""
        return rows_of(
            self._client, self._tables.sends, "send_id", send_id, fields=("send_id", "part", *fields),
            sort=Sorted("part", prefix=f"{within}.") if within else None,
        )  # fmt: skip

    def send_of(self, token: str) -> str | None:
        """Return which send has the part of this ``token``; ``None`` if no row says so (yet)."""
        keys = next(rows_of(self._client, self._tables.sends, "token", token, index=BY_TOKEN), None)
        return keys["send_id"] if keys else None

    # --- mobiles ------------------------------------------------------------------------------------------------

    def sends_to(self, mobile: str) -> Iterator[Item]:
        """Yield what goes to a mobile: ``send_id`` and first-level ``part``, ordered by ``send_id``."""
        return rows_of(self._client, self._tables.named("outbound"), "mobile", mobile, fields=("send_id", "part"))

    def facts_of(self, mobile: str) -> Iterator[Item]:
        """Yield what holds for a mobile; nothing if the table is not named."""
        if self._tables.mobiles is None:
            return iter(())
        return rows_of(self._client, self._tables.mobiles, "mobile", mobile)

    # --- campaigns ----------------------------------------------------------------------------------------------

    def campaign(self, campaign: str) -> Item | None:
        """Return a campaign's row."""
        with our_errors():
            found = self._client.get_item(
                TableName=self._tables.named("campaigns"), Key=to_item({"campaign": campaign})
            )
        return from_item(found["Item"]) if "Item" in found else None

    def campaigns_of(self, day: str, *, up_to: str | None, at_once: int) -> Iterator[Item]:
        """Yield the campaigns of a Beijing day, newest first."""
        return rows_of(
            self._client, self._tables.named("campaigns"), "day", day, index=BY_DAY,
            sort=Sorted("created_at", up_to=up_to), newest_first=True, at_once=at_once,
        )  # fmt: skip

    # --- the account --------------------------------------------------------------------------------------------

    def account(self, key: str) -> Item | None:
        """Return an item of the Account table."""
        with our_errors():
            found = self._client.get_item(TableName=self._tables.named("account"), Key=to_item({"cid": key}))
        return from_item(found["Item"]) if "Item" in found else None
