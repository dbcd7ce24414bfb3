"""From a send's fields to the messages that are enqueued: which lane, how many, and what goes into one batch.

A producer and a sender have to agree on what a send is, so the fields are checked as the sender will check them.
What fits no single message becomes several sends under one campaign. Their ids follow from the send's own: the
same send, enqueued again, is the same messages again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from kuaixintong.core import sends
from kuaixintong.core.bodies import LONGEST_BODY, Category, written
from kuaixintong.core.cost import cost, segments
from kuaixintong.core.lanes import Lane
from kuaixintong.core.limits import CALL_MESSAGES, MAX_MOBILES, MESSAGE_BYTES
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.sends import Send

_LONGEST_LABEL = 100
"""Characters of a campaign. An id has 128, which leaves room for the number of a share."""

_SHARE_NUMBER = len(":9999999")

_GOOD = len('"13708600860",')
"""Bytes of a usable mobile in a body."""


def lane_of(category: Category) -> Lane:
    """Return the lane that a send belongs in: a one-time code passes everything else."""
    return Lane.URGENT if category is Category.OTP else Lane.ORDINARY


@dataclass(frozen=True, slots=True)
class Message:
    """One message to enqueue; ``length`` is its body's in bytes, ``index`` the place of its send in the call."""

    index: int
    send_id: str
    lane: Lane
    campaign: str | None
    body: str = field(repr=False)
    length: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A send that has been checked, with its id among its fields, and the messages that it takes: mostly one."""

    index: int
    send_id: str
    fields: Mapping[str, Any] = field(repr=False)
    messages: tuple[Message, ...]
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A send that is in its queue.

    ``send_ids`` is what to ask the tables by: the send's own id, or those of the sends that it was shared out
    among, which have ``campaign`` in common. ``index`` is its place among the sends of the call. ``fingerprint``
    is the payload's digest, which tells its rows from an earlier send's under the same id; ``None`` if shared out.
    """

    index: int
    send_id: str
    send_ids: tuple[str, ...]
    lane: Lane
    campaign: str | None
    fingerprint: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NotEnqueued:
    """A send that is not in its queue, or not whole, or of which that is not known.

    ``certain`` is false where no answer came: it may be there. ``went_in`` names the shares of a large send that
    are. ``fields`` are the send's, with its id: to enqueue it again can do no harm.
    """

    index: int
    send_id: str
    why: str
    certain: bool
    went_in: tuple[str, ...]
    fields: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a send would be, before it is enqueued.

    ``segments`` is how many messages its text takes to one handset, ``cost`` how many the whole send takes, and
    ``parts`` in how many requests. ``invalid_mobiles`` are as they were written.
    """

    mobiles: int
    invalid_mobiles: tuple[str, ...]
    segments: int
    cost: int
    parts: int
    lane: Lane


def previewed(fields: Mapping[str, Any]) -> Preview:
    """Return what a send would be. Raises :class:`~kuaixintong.core.errors.SendRefused` as :func:`drafted`."""
    send = _checked(fields, "preview")
    return Preview(
        mobiles=len(send.mobiles),
        invalid_mobiles=tuple(each.mobile for each in send.invalid_mobiles),
        segments=segments(send.content),
        cost=cost(send.mobiles, send.content),
        parts=len(send.parts),
        lane=lane_of(send.category),
    )


def drafted(fields: Mapping[str, Any], *, fresh_id: str, index: int = 0) -> Draft:
    """Check one send, whose fields are those of the published schema; ``None`` is a field left out.

    ``fresh_id`` becomes its id if it has none: a message that AWS's client sends twice is one send only if both
    copies carry the same id. Raises :class:`~kuaixintong.core.errors.SendRefused` with every fault.
    """
    given = _given(fields)
    send = _checked(given, fresh_id)
    whole = _message(index, send, send.send_id, send.campaign, [*send.mobiles, *_unusable(send)])
    fits = whole.length <= LONGEST_BODY
    messages = (whole,) if fits else tuple(_shares(index, send))
    fingerprint = send.fingerprint if fits else None
    return Draft(index, send.send_id, given | {"id": send.send_id}, messages, fingerprint)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(mobiles := given.get("mobiles"), Iterable) and not isinstance(mobiles, (str, bytes, Mapping)):
        given["mobiles"] = list(mobiles)
    return given


def _checked(fields: Mapping[str, Any], fresh_id: str) -> Send:
    return sends.parse(json.dumps(_given(fields), default=_no_json), fresh_id, longest=None)


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield messages in as few calls as their order allows; all messages of a call have one lane.

    A lane's batch goes when it is full, the others at the end.
    """
    open_: dict[Lane, list[Message]] = {lane: [] for lane in Lane}
    for message in messages:
        batch = open_[message.lane]
        if len(batch) == CALL_MESSAGES or sum(each.length for each in batch) + message.length > MESSAGE_BYTES:
            yield batch
            batch = open_[message.lane] = []
        batch.append(message)
    yield from (batch for batch in open_.values() if batch)


def _no_json(value: object) -> dict[str, str]:
    """Stand in for what JSON cannot hold, so that it is refused as an object and not taken for its text."""
    return {type(value).__name__: str(value)}


def _unusable(send: Send) -> Iterator[str]:
    """Yield the unusable mobiles in a form that is read back as the same.

    They are kept cut, and what was unusable as a whole can be a good number where it is cut: that is not one that
    anybody asked for.
    """
    for invalid in send.invalid_mobiles:
        yield invalid.mobile if normalise(invalid.mobile) is None else f"{invalid.mobile}x"


def _shares(index: int, send: Send) -> Iterator[Message]:
    """Share the mobiles of a send out among several, in order."""
    label = _label(send.send_id)
    campaign = send.campaign or label
    frame = _message(index, send, f"{label}{':' * _SHARE_NUMBER}", campaign, [])
    for number, mobiles in enumerate(_loads(send, LONGEST_BODY - frame.length), start=1):
        yield _message(index, send, f"{label}:{number}", campaign, mobiles)


def _loads(send: Send, room: int) -> Iterator[list[str]]:
    """Cut the mobiles into lists that take no more than ``room`` bytes of JSON, good ones in whole requests."""
    most = room // _GOOD // MAX_MOBILES * MAX_MOBILES
    shares = [list(share) for share in batched(send.mobiles, most, strict=False)] or [[]]
    yield from shares[:-1]
    load = shares[-1]
    used = _GOOD * len(load)
    for mobile in _unusable(send):
        length = len(written(mobile).encode()) + 1
        if used + length > room:
            yield load
            load, used = [], 0
        load.append(mobile)
        used += length
    yield load


def _label(send_id: str) -> str:
    """Return an id as a campaign: itself, or where it is too long its beginning and its digest."""
    if len(send_id) <= _LONGEST_LABEL:
        return send_id
    digest = hashlib.sha256(send_id.encode()).hexdigest()[:32]
    return f"{send_id[: _LONGEST_LABEL - len(digest) - 1]}:{digest}"


def _message(index: int, send: Send, send_id: str, campaign: str | None, mobiles: list[str]) -> Message:
    fields = {
        "id": send_id,
        "mobiles": mobiles,
        "content": send.content,
        "atTime": send.at_time,
        "dailyBeginTime": send.daily_begin_time,
        "dailyEndTime": send.daily_end_time,
        "validUntil": send.valid_until,
        "category": None if send.category is Category.NOTICE else send.category,
        "campaign": campaign,
        "hold": send.hold or None,
    }
    body = written({name: value for name, value in fields.items() if value is not None})
    return Message(index, send_id, lane_of(send.category), campaign, body, len(body.encode()))
