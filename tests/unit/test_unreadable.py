"""What could not be read, as it is kept: the same whenever it comes again, and shown to nobody by accident."""

import pytest

from kuaixintong.core.unreadable import Kept, Unreadable, as_bytes, storable

ENTRY = Unreadable("report", Kept.ENTRY, b'{"token": 1}', "token is a number")
BODY = Unreadable("", Kept.BODY, b"a=1", "no type", query=b"b=2", content_type="text/plain")


def test_pieces_have_the_names_under_which_records_keep_them() -> None:
    assert [*map(str, Kept)] == ["entry", "jsonData", "body", "contradiction"]


def test_what_is_not_said_is_one_entry_of_no_push() -> None:
    assert (ENTRY.entries, ENTRY.query, ENTRY.content_type) == (1, b"", "")


def test_neither_bytes_nor_what_describes_them_are_shown() -> None:
    for hidden in ("token\\", "a=1", "b=2", "text/plain", '"token"'):
        assert hidden not in repr(ENTRY) + repr(BODY)


def test_the_same_is_the_same_whatever_the_reason_and_however_many() -> None:
    again = Unreadable("report", Kept.ENTRY, b'{"token": 1}', "another reason", entries=7)
    assert (again, again.digest) == (ENTRY, ENTRY.digest)
    assert len(ENTRY.digest) == 64


@pytest.mark.parametrize(
    "other",
    [
        Unreadable("", Kept.BODY, b"a=1", "", query=b"b=2", content_type="text/html"),
        Unreadable("", Kept.BODY, b"a=1b", "", query=b"=2", content_type="text/plain"),
        Unreadable("", Kept.BODY, b"2a=1", "", query=b"b=", content_type="text/plain"),
        Unreadable("report", Kept.BODY, b"a=1", "", query=b"b=2", content_type="text/plain"),
        Unreadable("", Kept.ENTRY, b"a=1", "", query=b"b=2", content_type="text/plain"),
    ],
)
def test_another_push_has_another_digest(other: Unreadable) -> None:
    assert other.digest != BODY.digest


@pytest.mark.parametrize(
    ("text", "raw"), [("好", b"\xe5\xa5\xbd"), ("\udcff", b"\xff"), ("\ud83d", b"\xed\xa0\xbd")]
)
def test_text_goes_back_to_the_bytes_that_it_came_as(text: str, raw: bytes) -> None:
    assert as_bytes(text) == raw


def test_what_is_stored_is_cut_and_can_be_held() -> None:
    assert storable("好\udcff!", 2) == "好\\udcff"
