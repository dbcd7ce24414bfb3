"""What becomes of a person's word on a part: it is written, said already, or does not fit."""

from typing import Any

import pytest

from kuaixintong.core import confirmation
from kuaixintong.core.confirmation import LONGEST_NAME, Said, Unfit, Written
from kuaixintong.core.ledger import State

BY = "王芳"


def row(state: State, **changes: Any) -> dict[str, Any]:
    return {"send_id": "s-1", "part": "1", "state": str(state), **changes}


OWNER = {"send_id": "s-2", "part": "2", "state": "ACCEPTED", "token": "377"}

ACCEPTED: dict[str, tuple[dict[str, Any] | None, str, dict[str, Any] | None, object]] = {
    "unconfirmed": (row(State.UNCONFIRMED), "377", None, Written()),
    "accepted without a token": (row(State.ACCEPTED), "377", None, Written()),
    "a token of 20 digits": (row(State.UNCONFIRMED), "1" * 20, None, Written()),
    "accepted with this token": (row(State.ACCEPTED, token="377"), "377", OWNER, Said()),
    "accepted with another token": (
        *(row(State.ACCEPTED, token="376"), "377", None),
        Unfit("Part 1 of s-1 is ACCEPTED with token 376: only what is UNCONFIRMED or lacks a token is confirmed."),
    ),
    "rejected, and the token stands there nevertheless": (
        *(row(State.REJECTED, token="377"), "377", None),
        Unfit("Part 1 of s-1 is REJECTED with token 377: only what is UNCONFIRMED or lacks a token is confirmed."),
    ),
    "waiting": (
        *(row(State.WAITING), "377", None),
        Unfit("Part 1 of s-1 is WAITING: only what is UNCONFIRMED or lacks a token is confirmed."),
    ),
    "another's token": (
        *(row(State.UNCONFIRMED), "377", OWNER),
        Unfit("Token 377 is that of part 2 of s-2; no two parts share one."),
    ),
    "nothing there": (None, "377", None, Unfit("There is no such part: kxt show ID lists those that a send has.")),
    "no token": (
        *(row(State.UNCONFIRMED), "37x", None),
        Unfit("'37x' is no token: the platform's are whole numbers."),
    ),
    "a token of 21 digits": (
        *(row(State.UNCONFIRMED), "1" * 21, None),
        Unfit("'111111111111111111111' is no token: the platform's are whole numbers."),
    ),
    "a long text": (
        *(row(State.UNCONFIRMED), "x" * 41, None),
        Unfit(f"'{'x' * 40}' is no token: the platform's are whole numbers."),
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_of_the_word_that_a_part_was_accepted(case: str) -> None:
    standing, token, owner, ruling = ACCEPTED[case]
    assert confirmation.accepted(standing, token, owner=owner) == ruling


TOLD = Unfit("It has to be told who says so, in 1 to 100 characters.")

NOT_ACCEPTED: dict[str, tuple[dict[str, Any] | None, str, object]] = {
    "unconfirmed": (row(State.UNCONFIRMED), BY, Written()),
    "the longest name": (row(State.UNCONFIRMED), f" {'x' * LONGEST_NAME} ", Written()),
    "said before": (row(State.REJECTED, denied=True), BY, Said()),
    "rejected by the platform": (
        *(row(State.REJECTED), BY),
        Unfit("Part 1 of s-1 is REJECTED: only what is UNCONFIRMED can be said not to be accepted."),
    ),
    "accepted": (
        *(row(State.ACCEPTED, token="376"), BY),
        Unfit(
            "Part 1 of s-1 is ACCEPTED with token 376: only what is UNCONFIRMED can be said not to be accepted."
        ),
    ),
    "accepted without a token": (
        *(row(State.ACCEPTED), BY),
        Unfit("Part 1 of s-1 was accepted by the platform itself; its token alone is missing."),
    ),
    "nothing there": (None, BY, Unfit("There is no such part: kxt show ID lists those that a send has.")),
    "nobody": (row(State.UNCONFIRMED), "  ", TOLD),
    "a name too long": (row(State.UNCONFIRMED), "x" * (LONGEST_NAME + 1), TOLD),
}


@pytest.mark.parametrize("case", NOT_ACCEPTED)
def test_of_the_word_that_a_part_was_not_accepted(case: str) -> None:
    standing, by, ruling = NOT_ACCEPTED[case]
    assert confirmation.not_accepted(standing, by) == ruling
