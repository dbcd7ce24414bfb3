"""The spec's table of state codes: all of it, in its own words, each with who has to act."""

from kuaixintong.core import codes
from kuaixintong.core.codes import Actor, StateCode, Trouble
from tests import spec_samples


def test_the_table_is_the_specs_word_for_word() -> None:
    assert [(row.code, row.meaning) for row in codes.STATE_CODES.values()] == [*spec_samples.STATE_CODES]


def test_each_code_says_who_has_to_act() -> None:
    by_actor = {
        actor: [row.code for row in codes.STATE_CODES.values() if row.actor is actor] for actor in codes.Actor
    }
    assert by_actor == {
        Actor.NOBODY: [0],
        Actor.LATER: [1, 210, 230],
        Actor.REQUEST: [300, 310, 320, 330, 340],
        Actor.ACCOUNT: [200, 220, 240, 250, 260, 400],
        Actor.US: [100, 110, 120, 130, 350, 360],
    }


def test_a_code_that_the_spec_does_not_list_is_ours_to_find_out_about() -> None:
    for code in (-1, 2, 999, 2**63):
        assert codes.look_up(code) == StateCode(code, "未知的状态码", Actor.US)


def test_the_words_of_troubles_are_those_that_stand_in_the_accounts_row() -> None:
    assert [trouble.value for trouble in Trouble] == [
        "authentication",
        "source address",
        "account disabled",
        "organisation disabled",
        "balance",
        "timestamp",
        "unreachable",
        "pace",
    ]
