"""The Sends table's read side: parts by send, by token, and those that a person should look at."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kuaixintong.core.ledger import Attention
from kuaixintong.stores.aws import our_errors
from kuaixintong.stores.dynamo import Item, from_item, to_item
from kuaixintong.stores.query import rows_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_TOKEN = "by-token"  # noqa: S105  # the name of an index
BY_ATTENTION = "by-attention"


class Parts:
    """Rows of parts, whole, as the contract's section 4 describes them."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def of_send(self, send_id: str) -> Iterator[Item]:
        """Yield a send's parts; a part that a 310 divided comes before its halves."""
        return rows_of(self._client, self._table, "send_id", send_id)

    def of_token(self, token: str) -> Item | None:
        """Return the part that the platform knows by ``token``; ``None`` if no row says so (yet)."""
        keys = next(rows_of(self._client, self._table, "token", token, index=BY_TOKEN), None)
        if keys is None:
            return None
        with our_errors():
            key = to_item({"send_id": keys["send_id"], "part": keys["part"]})
            found = self._client.get_item(TableName=self._table, Key=key)
        return from_item(found["Item"]) if "Item" in found else None

    def needing(self, attention: Attention) -> Iterator[Item]:
        """Yield the parts that a person should look at for this reason, the longest untouched first.

        The index holds what a person reads first; the whole row is one ``of_send`` away.
        """
        return rows_of(self._client, self._table, "attention", attention, index=BY_ATTENTION)
