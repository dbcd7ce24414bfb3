"""What is enqueued for a part that has waited as a row: told from a send, whatever a producer may write."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core import references, sends
from kuaixintong.core.bodies import stamped
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.references import Reference

REFERENCE = Reference("order-4711", "1.2.1", "0123456789abcdef" * 2)
FIELDS = {"send_id": "order-4711", "part": "1.2.1", "fingerprint": "0123456789abcdef" * 2}


def test_a_reference_is_its_rows_key_and_fingerprint() -> None:
    assert json.loads(references.written(REFERENCE)) == {"row": FIELDS}
    assert references.read(references.written(REFERENCE)) == REFERENCE
    assert not re.search(r"\s", references.written(REFERENCE))  # it is charged by its length


def test_a_body_that_is_long_enough_for_a_send_is_no_reference() -> None:
    body = references.written(REFERENCE)
    assert references.read(body.ljust(400)) == REFERENCE
    assert references.read(body.ljust(401)) is None


@given(
    st.from_regex(r"[A-Za-z0-9._:\-]{1,128}", fullmatch=True),
    st.from_regex(r"[1-9][0-9]{0,3}(\.[12]){0,14}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
)
def test_every_reference_is_read_as_it_was_written(send_id: str, part: str, fingerprint: str) -> None:
    reference = Reference(send_id, part, fingerprint)
    assert references.read(references.written(reference)) == reference


NONE: list[Any] = [
    {},
    {"row": None},
    {"row": []},
    {"row": FIELDS, "mobiles": ["13708600860"]},
    {"mobiles": ["13708600860"], "content": "row"},
    {"row": {**FIELDS, "more": 1}},
    {"row": {"send_id": "a", "part": "1"}},
    {"row": {**FIELDS, "part": 1}},
    {"row": {**FIELDS, "part": "0"}},
    {"row": {**FIELDS, "part": "1.3"}},
    {"row": {**FIELDS, "part": "1."}},
    {"row": {**FIELDS, "part": "１"}},
    {"row": {**FIELDS, "send_id": "a b"}},
    {"row": {**FIELDS, "send_id": ""}},
    {"row": {**FIELDS, "send_id": "x" * 129}},
    {"row": {**FIELDS, "fingerprint": "0" * 31}},
    {"row": {**FIELDS, "fingerprint": f"{'0' * 32}\n"}},
    [{"row": FIELDS}],
    "row",
]


@pytest.mark.parametrize("value", NONE)
def test_what_is_no_reference_is_read_as_a_send(value: Any) -> None:
    assert references.read(json.dumps(value)) is None


@pytest.mark.parametrize("body", ['{"row":', '{"row":' * 50, f'{{"row":{"1" * 5_000}}}', f'{"[" * 390}"row"'])
def test_what_is_no_json_is_none_either(body: str) -> None:
    assert references.read(body) is None


def test_a_reference_is_no_send_and_a_producers_schema_knows_none() -> None:
    with pytest.raises(SendRefused):
        sends.parse(references.written(REFERENCE), "m-1")
    assert "row" not in sends.schema()["properties"]


def test_a_reference_gets_no_id_of_its_message() -> None:
    body = references.written(REFERENCE)
    assert stamped(body, "m-1") == body


def test_no_reference_takes_more_than_the_longest_that_is_read() -> None:
    longest = Reference("x" * 128, "999999" + ".2" * 20, "f" * 32)
    assert references.read(references.written(longest)) == longest
