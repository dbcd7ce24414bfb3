"""Where a page ends, as text: it travels anywhere, and is good for its own listing alone."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuaixintong.core.errors import PageUnknown, RequestWrong
from kuaixintong.core.pages import Page, place, sized, token


@given(st.text(), st.lists(st.text(), min_size=1))
def test_a_place_comes_back_as_it_was(subject: str, where: list[str]) -> None:
    written = token("day", subject, where)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", written)
    assert place(written, "day", subject) == tuple(where)


@pytest.mark.parametrize("text", ["a b", "ab==", "_-+/", "Wy\nJk"])
def test_what_holds_any_other_character_is_no_token(text: str) -> None:
    with pytest.raises(PageUnknown, match="no page token"):
        place(text, "day", "2026-11-23")
    with pytest.raises(PageUnknown, match="no page token"):
        place(f"{token('day', '2026-11-23', ['a'])}!", "day", "2026-11-23")


def test_a_page_is_the_last_unless_it_says_otherwise() -> None:
    assert Page(()).next is None


def test_no_token_is_the_first_page() -> None:
    assert place(None, "day", "2026-11-23") is None


@pytest.mark.parametrize(("listing", "subject"), [("day", "2026-11-24"), ("campaign", "2026-11-23")])
def test_a_token_of_another_listing_or_subject_is_refused(listing: str, subject: str) -> None:
    with pytest.raises(PageUnknown, match="another listing"):
        place(token("day", "2026-11-23", ["a"]), listing, subject)


def test_a_token_without_a_place_is_refused() -> None:
    with pytest.raises(PageUnknown):
        place(token("day", "2026-11-23", []), "day", "2026-11-23")


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_whatever_is_no_token_is_refused_as_the_askers_fault(text: str) -> None:
    with pytest.raises(RequestWrong):
        place(text, "day", "2026-11-23")


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-3, 1), (1, 1), (50, 50), (1_000, 1_000), (5_000, 1_000)])
def test_a_page_has_a_reasonable_size(asked: int, given: int) -> None:
    assert sized(asked) == given
