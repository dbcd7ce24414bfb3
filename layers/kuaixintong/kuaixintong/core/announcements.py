"""What is told to whoever reacts, when a row is new: a part's end, a report, an MO; decided from the row alone.

The classes give both the events and the JSON Schemas that are published. An event can come twice, with the same
``id``; a field is added in time, and none is taken away or changed its meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kuaixintong.core import beijing

SOURCE = "kuaixintong"
"""The ``source`` of all events on the bus."""

TOKEN_PATIENCE = timedelta(minutes=2)
"""How long a report may be ahead of the token that the sender notes, before it is told without its send."""

GIVES_UP_AFTER = timedelta(minutes=10)
"""How long a record may come back, before what cannot be told goes to the dead-letter queue."""

type _End = Literal["ACCEPTED", "REJECTED", "UNCONFIRMED", "EXPIRED", "CANCELLED"]

ENDS = frozenset(get_args(_End.__value__))
"""States in which a part has come to an end; of one that was divided, the halves do."""

_LONGEST_WORDS = 2_000
"""Characters of a part's words that are told; an entry of the bus holds 256 KB."""

_Id = Annotated[str, Meta(description="The same each time the event comes; of no other event.")]
_SendId = Annotated[str, Meta(description="The send, by the id that it was enqueued under.")]
_PartName = Annotated[str, Meta(description="The part of the send: 1, 2, …; after a 310 split 1.1, 1.2, …")]
_Token = Annotated[str, Meta(description="The platform's id of the accepted part; text, for it may have 64 bits.")]
_Mobile = Annotated[str, Meta(description="The mobile, 11 digits where the platform's writing of it has them.")]
_Moment = Annotated[str, Meta(description="ISO 8601 with milliseconds and Beijing's offset.")]


class PartEnded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part has come to an end. One that was UNCONFIRMED can be ACCEPTED or REJECTED later, by another event."""

    id: _Id
    send_id: _SendId
    part: _PartName
    state: Annotated[_End, Meta(description="What became of it; ACCEPTED is not delivered.")]
    at: _Moment
    mobiles: Annotated[int, Meta(ge=0, description="How many mobiles it went, or was to go, to.")]
    category: Annotated[Literal["otp", "notice", "marketing"], Meta(description="What the send is for.")]
    campaign: Annotated[str | UnsetType, Meta(description="The send's campaign, if it has one.")] = UNSET
    token: Annotated[str | UnsetType, Meta(description="The platform's id of the part, once accepted.")] = UNSET
    fee: Annotated[int | UnsetType, Meta(description="What it costs, in messages, once accepted.")] = UNSET
    code: Annotated[int | UnsetType, Meta(description="The platform's last state code.")] = UNSET
    words: Annotated[str | UnsetType, Meta(description="The platform's words, or our reason.")] = UNSET
    inferred: Annotated[bool, Meta(description="The answer was lost; its reports proved the acceptance.")] = False
    attention: Annotated[str | UnsetType, Meta(description="Why a person should look at it.")] = UNSET


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery report has come: the fate of one mobile, or of one segment of a long message."""

    id: _Id
    token: _Token
    mobile: _Mobile
    success: Annotated[bool, Meta(description="Whether it was delivered.")]
    result_code: Annotated[str, Meta(description="The operator's code.")]
    received_at: _Moment
    send_id: Annotated[str | UnsetType, Meta(description="The send; missing where no part has the token.")] = UNSET
    part: Annotated[str | UnsetType, Meta(description="The part of the send.")] = UNSET


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A handset has sent a message (MO)."""

    id: _Id
    mobile: _Mobile
    content: Annotated[str, Meta(description="What it says.")]
    smg_recv_date: Annotated[str, Meta(description="yyyy-MM-dd HH:mm:ss, Beijing time: when the gateway got it.")]
    received_at: _Moment


type Announcement = PartEnded | Reported | Said

TYPES: dict[type[Announcement], str] = {PartEnded: "Part Ended", Reported: "Report", Said: "MO"}
"""The ``detail-type`` of each event."""


def detail_type(event: Announcement) -> str:
    """Return what a rule on the bus knows the event by."""
    return TYPES[type(event)]


def detail(event: Announcement) -> str:
    """Return the event's JSON."""
    return msgspec.json.encode(event).decode()


def schema(kind: type[Announcement]) -> dict[str, Any]:
    """Return the JSON Schema of an event's detail, as published in ``docs/events``."""
    (_,), definitions = msgspec.json.schema_components([kind])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions[kind.__name__],
        "title": TYPES[kind],
    }


# --- from rows --------------------------------------------------------------------------------------------------

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a token is."""

    send_id: str
    part: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """A report has overtaken the answer to the request that it belongs to: its token may be noted yet."""


def of_part(row: Row) -> PartEnded | None:
    """Return the event of a part's row; ``None`` for one that has not come to its end."""
    if row["state"] not in ENDS:
        return None
    return PartEnded(
        id=f"{row['send_id']}#{row['part']}#{row['revision']}",
        send_id=row["send_id"],
        part=row["part"],
        state=row["state"],
        at=row["updated_at"],
        mobiles=len(row.get("mobiles", ())),
        category=row.get("category", "notice"),
        campaign=row.get("campaign", UNSET),
        token=row.get("token", UNSET),
        fee=row.get("fee", UNSET),
        code=row.get("code", UNSET),
        words=row["words"][:_LONGEST_WORDS] if "words" in row else UNSET,
        inferred=row.get("inferred", False),
        attention=row["attention"].partition(".")[0] if "attention" in row else UNSET,  # without its shard
    )


def of_report(row: Row, owner: Owner | None, *, now: datetime) -> Reported | NotYet:
    """Return the event of a report's row; ``owner`` is the part whose row has its token, as far as one has."""
    if owner is None and now - beijing.from_iso(row["received_at"]) < TOKEN_PATIENCE:
        return NotYet()
    return Reported(
        id=f"{row['token']}#{row['outcome']}",
        token=row["token"],
        mobile=row["mobile"],
        success=row["success"],
        result_code=row["result_code"],
        received_at=row["received_at"],
        send_id=owner.send_id if owner else UNSET,
        part=owner.part if owner else UNSET,
    )


def of_mo(row: Row) -> Said:
    """Return the event of an MO's row."""
    return Said(
        id=f"{row['mobile']}#{row['message_key']}",
        mobile=row["mobile"],
        content=row["content"],
        smg_recv_date=row["smg_recv_date"],
        received_at=row["received_at"],
    )
