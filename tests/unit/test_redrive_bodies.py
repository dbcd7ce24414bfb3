"""What lies in the dead-letter queue goes back to its lane, whatever it is."""

import pytest

from kuaixintong.core import references, sends
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.lanes import Lane
from kuaixintong.core.references import Reference
from kuaixintong.redrive import redrive_from
from kuaixintong.stores.queue import DeadLetter, DeadLetters


class Paper(DeadLetters):
    """A dead-letter queue on paper."""

    def __init__(self, *bodies: str) -> None:
        self.letters = [DeadLetter(f"m-{n}", "r", body, Lane.ORDINARY) for n, body in enumerate(bodies)]
        self.back: list[str] = []

    def receive(self, *, wait: int) -> list[DeadLetter]:
        found, self.letters = self.letters, []
        return found

    def put_back(self, letter: DeadLetter, body: str) -> None:
        self.back.append(body)

    def left(self) -> int:
        return len(self.letters)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, "[]", '"x"', "{", "NaN", "1" * 5_000])
def test_a_body_that_is_no_send_goes_back_as_it_is_and_holds_up_no_other(body: str) -> None:
    letters = Paper(body, '{"id":"a"}')
    assert redrive_from(letters, wait=0).ordinary == 2
    assert letters.back == [body, '{"id":"a"}']


@pytest.mark.parametrize("fault", ['"id":null', '"id":0', '"mobiles":["13700000002"]'])
def test_a_body_that_breaks_a_rule_is_not_mended_by_its_id(fault: str) -> None:
    body = f'{{"mobiles":["13700000001"],"content":"x",{fault}}}'
    letters = Paper(body)
    redrive_from(letters, wait=0)
    with pytest.raises(SendRefused):
        sends.parse(letters.back[0], "m-0")
    assert letters.back == [body]


def test_what_refers_to_a_row_goes_back_as_it_is() -> None:
    body = references.written(Reference("held", "1", "0" * 32))
    letters = Paper(body)
    redrive_from(letters, wait=0)
    assert letters.back == [body]
