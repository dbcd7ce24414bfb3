"""One queue message, from its first claim to its last result.

The message leaves the queue only when every part's row is final. Wherever a worker is cut off, the rows say what
may have happened, and the message comes back.
"""

from collections import deque
from collections.abc import Callable

from kuaixintong.core import sends
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.ledger import Attention, State
from kuaixintong.core.sends import Part, Send
from kuaixintong.errand import Again, Desk, Errand, IdTaken, OrAgain, Progress, QueueMessage
from kuaixintong.request import PartRequest


class Submitter(Desk):
    """Takes queue messages; safe between threads."""

    def take(self, message: QueueMessage, time_left: Callable[[], float]) -> Progress:
        """Bring a message as far as it goes now; ``time_left`` returns the seconds until the function is killed.

        What is left to do is postponed on the queue, also when a store or a secret fails.
        """
        last = message.receive_count >= self.receive_limit
        try:
            send = sends.parse(message.body, message.message_id)
            _check_what_is_built(send)
        except SendRefused as refused:
            progress = self._refuse(message, refused)
            stamped = message.body
        else:
            progress = _Walk(Errand(self, message, send, time_left)).run(last=last)
            stamped = sends.stamped(message.body, send.send_id)
        if progress.again and last:
            self.queue.bury(stamped)
            progress.attention[Attention.GAVE_UP] += 1
            progress.again = None
        if progress.again:
            self.queue.postpone(message.receipt_handle, progress.again.delay)
        return progress

    def _refuse(self, message: QueueMessage, refused: SendRefused) -> Progress:
        progress = Progress(sends.send_id_of(message.body, message.message_id))
        with OrAgain(self, message, progress):
            new = self.claims.refuse(
                progress.send_id, message.message_id, refused.faults, message.body, now=self.clock()
            )
            progress.brought_to(State.REJECTED, Attention.REFUSED if new else None)
        return progress


class _Walk:
    """An errand's way through the parts of its send."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._unfinished: list[Part] = []

    def run(self, *, last: bool) -> Progress:
        """Bring the send as far as it goes; on its ``last`` delivery, mark what is not finished."""
        errand = self._errand
        with OrAgain(errand.desk, errand.message, errand.progress):
            self._walk_or_refuse()
        if last and errand.progress.again:
            with OrAgain(errand.desk, errand.message, errand.progress):
                for part in self._unfinished:
                    errand.desk.claims.give_up(errand.send, part, now=errand.now())
        return errand.progress

    def _walk_or_refuse(self) -> None:
        errand = self._errand
        try:
            self._walk()
        except IdTaken:
            message = errand.message
            new = errand.desk.claims.refuse_conflict(
                errand.send, message.message_id, message.body, now=errand.now()
            )
            errand.progress.send_id = message.message_id
            errand.progress.brought_to(State.REJECTED, Attention.REFUSED if new else None)

    def _walk(self) -> None:
        todo = deque(self._errand.send.parts)
        try:
            if len(todo) > 1:
                self._note_all()
            while todo:
                step = self._submit(todo[0])
                part = todo.popleft()
                if isinstance(step, Again):
                    self._unfinished.append(part)
                    self._errand.progress.put_off(step)
                    if step.all_parts:
                        return
                elif step is State.SPLIT:
                    todo.extendleft(reversed(self._halves(part)))
        finally:  # also when a store or the secret has failed: what is not finished is never forgotten
            self._unfinished.extend(todo)

    def _note_all(self) -> None:
        """Write down all parts of a new send before the first is asked for, so that the table knows the whole.

        Part 1 comes first: it is where two payloads under one id collide.
        """
        first, *others = self._errand.send.parts
        known = self._errand.note(first)
        if known is None or known.attempts == 0:  # the noting itself may have been cut off
            for part in others:
                self._errand.note(part)

    def _submit(self, part: Part) -> State | Again:
        seen = self._errand.seen.get(part.name)
        if seen and seen.state.final:
            return seen.state
        if not part.mobiles:
            if self._errand.note(part) is None:
                self._errand.progress.brought_to(State.REJECTED)
            return State.REJECTED
        return PartRequest(self._errand, part).bring()

    def _halves(self, part: Part) -> tuple[Part, Part]:
        halves = part.halves()
        if halves[0].name not in self._errand.seen:  # an earlier delivery has divided it and gone on
            self._errand.seen |= self._errand.desk.claims.known(self._errand.send.send_id)
        return halves


def _check_what_is_built(send: Send) -> None:
    """Refuse what would silently be another send: one that nobody keeps here until its time."""
    if send.hold:
        fault = "hold is true; this version cannot keep a send here until its atTime."
        raise SendRefused([f"{fault} Leave hold out, and the platform gets atTime at once."])
