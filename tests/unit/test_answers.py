"""What the read side answers, as values: what is not known is ``None``, and no text of a person's is in a repr."""

from dataclasses import MISSING, fields

import pytest

from kuaixintong.core import answers
from kuaixintong.core.answers import Answered, CampaignCounts, DeliveryStatus, PartStatus, SendLine, Sent
from kuaixintong.core.delivery import Delivery

TEXT = "您的验证码是 4711"

NOT_NONE = {
    ("SendLine", "category"): "notice",
    ("Sent", "category"): "notice",
    ("CampaignCounts", "divided"): 0,
    ("Conversation", "facts"): (),
    ("Happened", "count"): 1,
}
"""What a value says where nobody says it, and it is not ``None``."""


def line(**states: int) -> SendLine:
    return SendLine("order-1", "2026-11-25T12:00:00.000+08:00", 1, states, 1, "13700000001", TEXT)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"ACCEPTED": 3}, "ACCEPTED"),
        ({"ACCEPTED": 1, "WAITING": 1}, None),
        ({}, None),
    ],
)
def test_a_send_has_a_state_if_all_of_it_has(states: dict[str, int], state: str | None) -> None:
    assert line(**states).state == state


def test_parts_are_counted_in_any_state_but_split() -> None:
    assert CampaignCounts("autumn", 3, {"ACCEPTED": 3, "WAITING": 2}, divided=4).parts == 5


def test_what_is_not_known_is_none() -> None:
    classes = [each for each in vars(answers).values() if hasattr(each, "__dataclass_fields__")]
    told = {
        (each.__name__, field.name): field.default
        for each in classes
        if each.__module__ == answers.__name__
        for field in fields(each)
        if field.default is not MISSING
    }
    assert {key: default for key, default in told.items() if default is not None} == NOT_NONE


@pytest.mark.parametrize(
    "answer",
    [
        line(),
        Sent(None, "order-1", "1", None, Delivery.PENDING, TEXT),
        Answered("2026-11-25T12:00:00.000+08:00", TEXT, "2026-11-25 12:00:00"),
    ],
)
def test_no_text_stands_in_a_repr(answer: object) -> None:
    assert "4711" not in repr(answer)


def test_a_payloads_digest_is_no_part_of_an_answer() -> None:
    one, other = (part(fingerprint) for fingerprint in ("a" * 32, "b" * 32))
    assert one == other
    assert "aaaa" not in repr(one)
    assert DeliveryStatus("order-1", (one,)).mobiles == {"13700000001": Delivery.DELIVERED}
    assert DeliveryStatus("order-1", (one,)).invalid_mobiles == {"12": "no mobile"}


def part(fingerprint: str) -> PartStatus:
    mobiles, invalid = {"13700000001": Delivery.DELIVERED}, {"12": "no mobile"}
    return PartStatus("1", "ACCEPTED", "376", 1, 0, None, mobiles, invalid, (), fingerprint)
