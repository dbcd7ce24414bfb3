"""A person's word on a part whose end only the platform's staff knows (contract, section 10): what it may change.

A word is taken for what it says of this very request, so the row has to say still what the person has seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kuaixintong.core.ledger import State

LONGEST_NAME = 100
"""Characters of who said it."""

_TOKEN = re.compile(r"[0-9]{1,20}")

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """The word is to be written down."""


@dataclass(frozen=True, slots=True)
class Said:
    """The row says so already."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """The word does not fit what the tables say; ``why`` is a sentence."""

    why: str


type Ruling = Written | Said | Unfit


def accepted(row: Row | None, token: str, *, owner: Row | None) -> Ruling:
    """Return what becomes of the word that the platform accepted a part under ``token``.

    ``owner`` is the part whose row has that token, if there is one.
    """
    if not _TOKEN.fullmatch(token):
        return Unfit(f"{token[:40]!r} is no token: the platform's are whole numbers.")
    if row is None:
        return Unfit("There is no such part: kxt show ID lists those that a send has.")
    if row.get("token") == token and row["state"] == State.ACCEPTED:
        return Said()
    if owner is not None:
        return Unfit(f"Token {token} is that of part {_named(owner)}; no two parts share one.")
    if row["state"] == State.UNCONFIRMED or _lacks_a_token(row):
        return Written()
    return Unfit(f"Part {_named(row)} is {_told(row)}: only what is UNCONFIRMED or lacks a token is confirmed.")


def not_accepted(row: Row | None, by: str) -> Ruling:
    """Return what becomes of the word, ``by`` whom, that the platform did not accept a part."""
    if not 1 <= len(by.strip()) <= LONGEST_NAME:
        return Unfit(f"It has to be told who says so, in 1 to {LONGEST_NAME} characters.")
    if row is None:
        return Unfit("There is no such part: kxt show ID lists those that a send has.")
    if row.get("denied"):
        return Said()
    if row["state"] == State.UNCONFIRMED:
        return Written()
    if _lacks_a_token(row):
        return Unfit(f"Part {_named(row)} was accepted by the platform itself; its token alone is missing.")
    return Unfit(f"Part {_named(row)} is {_told(row)}: only what is UNCONFIRMED can be said not to be accepted.")


def _lacks_a_token(row: Row) -> bool:
    return row["state"] == State.ACCEPTED and not row.get("token")


def _named(row: Row) -> str:
    return f"{row['part']} of {row['send_id']}"


def _told(row: Row) -> str:
    return f"{row['state']} with token {row['token']}" if row.get("token") else str(row["state"])
