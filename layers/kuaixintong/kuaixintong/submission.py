"""One queue message, from its first claim to its last result.

The message leaves the queue only when every part's row is final. Wherever a worker is cut off, the rows say what
may have happened, and the message comes back.
"""

from collections import deque
from collections.abc import Callable

from kuaixintong.core import references, sends
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.ledger import Attention, State
from kuaixintong.core.references import Reference
from kuaixintong.core.sends import Part
from kuaixintong.errand import Again, Desk, Errand, IdTaken, OrAgain, Progress, QueueMessage
from kuaixintong.request import PartRequest


class Submitter(Desk):
    """Takes queue messages; safe between threads."""

    def take(self, message: QueueMessage, time_left: Callable[[], float]) -> Progress:
        """Bring a message as far as it goes now; ``time_left`` returns the seconds until the function is killed.

        What is left to do is postponed on the queue, also when a store or a secret fails.
        """
        last = message.receive_count >= self.receive_limit
        stamped = message.body
        try:
            if reference := references.read(message.body):
                progress = self._look_up(reference, message, time_left)
            else:
                send = sends.parse(message.body, message.message_id)
                stamped = sends.stamped(message.body, send.send_id)
                send = self.guards.dated(send, message.sent_at)
                progress = _Walk(Errand(self, message, send, time_left)).run(last=last)
        except SendRefused as refused:
            progress = self._refuse(message, refused)
        if progress.again and last:
            self.queue.bury(stamped)
            progress.attention[Attention.GAVE_UP] += 1
            progress.again = None
        if progress.again:
            self.queue.postpone(message.receipt_handle, progress.again.delay)
        return progress

    def _look_up(self, reference: Reference, message: QueueMessage, time_left: Callable[[], float]) -> Progress:
        """Take up a part that has waited as a row. Raises :class:`SendRefused` where no such row stands."""
        progress = Progress(reference.send_id)
        recalled = None
        with OrAgain(self, message, progress):
            recalled = self.claims.recall(reference)
        if progress.again:
            return progress
        if recalled is None or not (recalled.send.content or recalled.standing.state.final):
            raise SendRefused([_NO_SUCH_ROW])
        state = recalled.standing.state
        if not recalled.send.content or (state.final and state is not State.SPLIT):  # it, or its halves, went out
            progress.repeats += 1
            return progress
        errand = Errand(self, message, self.guards.dated(recalled.send, None), time_left)
        errand.seen[reference.part] = recalled.standing
        return _Walk(errand).run(last=message.receive_count >= self.receive_limit)

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
        known = self._errand.found(first) or self._errand.note(first)
        if known and known.valid_until:  # noted by the first delivery; this one may be a redrive's
            self._errand.goes_by(known.valid_until)
        if known is None or known.attempts == 0:  # the noting itself may have been cut off
            cancelled = known.cancelled if known and known.whole else None
            for part in others:
                if not self._errand.found(part):
                    self._errand.note(part, cancelled=cancelled)

    def _submit(self, part: Part) -> State | Again:
        seen = self._errand.found(part)
        if seen and seen.state.final:
            self._errand.progress.repeats += seen.state is not State.SPLIT
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


_NO_SUCH_ROW = (
    "The message refers to a row that is to be sent, and there is no such row. Such messages come from this "
    "system alone, for parts that waited for their time; enqueue a send instead."
)
