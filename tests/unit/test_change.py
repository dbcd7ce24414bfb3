"""What a write changes, as a value: of what it does not name, nothing."""

from dataclasses import fields

import pytest

from kuaixintong.core.change import Change

NOTHING = {"values": {}, "gone": (), "added": {}, "handed_on": {}, "blank": "", "appended": {}}


@pytest.mark.parametrize("named", [None, *NOTHING])
def test_a_change_changes_nothing_that_it_does_not_name(named: str | None) -> None:
    given = {} if named is None else {named: object()}
    change = Change(**given)  # type: ignore[arg-type]  # whatever it is, it is handed on
    assert {each.name: getattr(change, each.name) for each in fields(change)} == NOTHING | given
