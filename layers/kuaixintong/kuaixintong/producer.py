"""Enqueue sends from Python::

    from kuaixintong.producer import Outbox

    outbox = Outbox.of_stack("kuaixintong-prod")
    outbox.send(id="login-4711", mobiles=["13708600860"], content="您的验证码是 123456", category="otp")

The fields of a send are those of the queue's body, and they are checked by the code that checks them there, before
anything is enqueued. A send without an ``id`` gets one here, so that a message that AWS's client had to repeat is
still one send. Give an ``id`` of your own where your program itself may repeat the call.

An :class:`Outbox` can be shared between threads. In a program on asyncio, let a thread wait for AWS::

    await asyncio.to_thread(outbox.send, mobiles=["13708600860"], content="…")
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, Required, Self, TypedDict, Unpack

from kuaixintong.core.enqueueing import Draft, Enqueued, Message, NotEnqueued, Preview, batches, drafted, previewed
from kuaixintong.core.errors import AccessRefused, KuaixintongError, NotAllEnqueued, SendRefused, StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.core.limits import CALL_MESSAGES
from kuaixintong.stores import aws, stack
from kuaixintong.stores.access import refusals
from kuaixintong.stores.lanes import Lanes, Refusal

__all__ = [
    "AccessRefused",
    "Enqueued",
    "NotAllEnqueued",
    "NotEnqueued",
    "Outbox",
    "Preview",
    "SendFields",
    "SendRefused",
    "preview",
]

CALLS = 4
"""Calls to AWS at a time for many sends: most of a call is waiting."""

_PAUSES = (0.2, 0.5, 1.0)
"""Seconds before another try of what SQS has not taken out of a batch, for a reason that may pass."""


type _Losses = tuple[dict[int, Refusal], KuaixintongError | None]
"""What was lost of a batch, by place, and why nothing more should be tried, if so."""

type _Gone = tuple[list[Message], dict[int, Refusal]]
"""A batch, and what was lost of it."""


class SendFields(TypedDict, total=False):
    """A send, by the names of its schema (contract, section 1). ``None`` is a field left out."""

    mobiles: Required[Iterable[str]]
    content: Required[str]
    id: str | None
    atTime: str | None
    dailyBeginTime: str | None
    dailyEndTime: str | None
    validUntil: str | None
    category: Literal["otp", "notice", "marketing"] | None
    campaign: str | None
    hold: bool | None


def preview(**fields: Unpack[SendFields]) -> Preview:
    """Return what a send would be and cost, without enqueueing it. Raises :class:`SendRefused` with all faults."""
    return previewed(fields)


class Outbox:
    """Where sends are put in: a stack's queues, on the user's own AWS credentials."""

    def __init__(self, lanes: Lanes, *, calls: int = CALLS, sleep: Callable[[float], None] = time.sleep) -> None:
        """``calls`` is how many batches of many sends are on their way to AWS at a time."""
        self._lanes = lanes
        self._calls = calls
        self._sleep = sleep

    @classmethod
    def of_stack(
        cls, name: str, *, region: str | None = None, profile: str | None = None, calls: int = CALLS
    ) -> Self:
        """Return the outbox of the stack ``name``; it has to be allowed to be described.

        ``region`` and ``profile`` are the AWS CLI's; left out, the environment decides. Raises
        :class:`AccessRefused` with a sentence that says what is missing.
        """
        with refusals("cloudformation"):
            person = aws.Person(region=region, profile=profile)
            outputs = stack.outputs(person.cloudformation(), name)
        ordinary = outputs.get("SendQueueUrl")
        urgent = outputs.get("UrgentQueueUrl", ordinary)
        if not urgent:
            raise AccessRefused(
                f"The stack {name} has no output SendQueueUrl: it is none of 快信通's, or not done yet."
            )
        lanes = Lanes(person.sqs(), {Lane.URGENT: urgent, Lane.ORDINARY: ordinary or urgent})
        return cls(lanes, calls=calls)

    @classmethod
    def of_queues(
        cls,
        send_queue_url: str,
        urgent_queue_url: str = "",
        *,
        region: str | None = None,
        profile: str | None = None,
        calls: int = CALLS,
    ) -> Self:
        """Return the outbox of two queues, for a producer that may not describe the stack.

        Without ``urgent_queue_url`` one-time codes go the way of everything else.
        """
        urls = {Lane.URGENT: urgent_queue_url or send_queue_url, Lane.ORDINARY: send_queue_url}
        with refusals("sqs"):
            return cls(Lanes(aws.Person(region=region, profile=profile).sqs(), urls), calls=calls)

    def send(self, **fields: Unpack[SendFields]) -> Enqueued:
        """Enqueue one send.

        Raises :class:`SendRefused` with all its faults, and :class:`NotAllEnqueued` if it did not go in.
        """
        (enqueued,) = self.send_many([fields])
        return enqueued

    def send_many(self, sends: Iterable[SendFields]) -> list[Enqueued]:
        """Enqueue many sends, ten a call; return what became of each, in their order.

        All are checked first: raises :class:`SendRefused` with the faults of all, and then nothing is enqueued.
        Raises :class:`NotAllEnqueued` at the end if some did not go in; it says which did.
        """
        drafts, refused = [], []
        for index, fields in enumerate(sends):
            try:
                drafts.append(_drafted(index, fields))
            except SendRefused as error:
                refused.append((index, fields, error.faults))
        if refused:
            raise _all_faults(refused, of=len(drafts) + len(refused))
        calls = self._calls if len(drafts) > CALL_MESSAGES else 1
        outcomes = sorted(self._put(drafts, calls=calls), key=lambda outcome: outcome.index)
        enqueued = [each for each in outcomes if isinstance(each, Enqueued)]
        failed = [each for each in outcomes if isinstance(each, NotEnqueued)]
        if failed:
            raise NotAllEnqueued(enqueued, failed)
        return enqueued

    def send_each(self, sends: Iterable[SendFields]) -> Iterator[Enqueued | NotEnqueued]:
        """Enqueue sends as they come; yield what became of each when its batch has gone.

        For progress, and for more than the memory holds. Sends are enqueued as the outcomes are asked for, a few
        batches ahead: iterate to the end. A send that breaks a rule is one that did not go in, and so is all that
        comes after AWS has failed.
        """
        refused: list[NotEnqueued] = []

        def drafts() -> Iterator[Draft]:
            for index, fields in enumerate(sends):
                try:
                    yield _drafted(index, fields)
                except SendRefused as error:
                    refused.append(_not_a_send(index, fields, error))

        for outcome in self._put(drafts(), calls=self._calls):
            yield from _emptied(refused)
            yield outcome
        yield from _emptied(refused)

    def _put(self, drafts: Iterable[Draft], *, calls: int) -> Iterator[Enqueued | NotEnqueued]:
        open_: dict[int, _Progress] = {}

        def messages() -> Iterator[Message]:
            for draft in drafts:
                open_[draft.index] = _Progress(draft)
                yield from draft.messages

        for batch, losses in self._put_batches(batches(messages()), calls):
            for place, message in enumerate(batch):
                progress = open_[message.index]
                progress.note(message, losses.get(place))
                if outcome := progress.outcome():
                    del open_[message.index]
                    yield outcome

    def _put_batches(self, waiting: Iterator[list[Message]], calls: int) -> Iterator[_Gone]:
        """Enqueue batches, so many at a time; yield each, in order, with what was lost of it."""
        if calls == 1:  # no thread for a single send
            yield from _side_by_side(waiting, lambda batch: _done(self._put_batch(batch)), calls)
            return
        with ThreadPoolExecutor(calls, thread_name_prefix="outbox") as threads:
            yield from _side_by_side(waiting, lambda batch: threads.submit(self._put_batch, batch), calls)

    def _put_batch(self, batch: list[Message]) -> _Losses:
        losses: dict[int, Refusal] = {}
        left = list(range(len(batch)))
        for pause in (*_PAUSES, None):
            try:
                refused = self._lanes.put(batch[0].lane, [batch[place] for place in left])
            except (AccessRefused, StoreUnavailable) as error:
                lost = Refusal(str(error), lasting=False, certain=isinstance(error, AccessRefused))
                return losses | dict.fromkeys(left, lost), error
            losses |= {left[at]: refusal for at, refusal in refused.items() if refusal.lasting or pause is None}
            left = [left[at] for at, refusal in refused.items() if not refusal.lasting]
            if not left or pause is None:
                break
            self._sleep(pause)
        return losses, None


def _side_by_side(
    waiting: Iterator[list[Message]], put: Callable[[list[Message]], Future[_Losses]], calls: int
) -> Iterator[_Gone]:
    """Yield batches as they have gone, in order, ``calls`` of them on their way; once AWS fails, try no more."""
    on_their_way: deque[tuple[list[Message], Future[_Losses]]] = deque()
    failure: KuaixintongError | None = None
    try:
        for batch in waiting:
            if failure:
                why = f"not tried any more: {failure}"
                yield batch, dict.fromkeys(range(len(batch)), Refusal(why, lasting=False))
                continue
            on_their_way.append((batch, put(batch)))
            while on_their_way and (failure or len(on_their_way) == calls):
                gone, future = on_their_way.popleft()
                losses, met = future.result()
                failure = failure or met
                yield gone, losses
    except Exception:  # of whatever the sends come from: what is on its way is told all the same
        yield from _landed(on_their_way)
        raise
    yield from _landed(on_their_way)


def _landed(on_their_way: Iterable[tuple[list[Message], Future[_Losses]]]) -> Iterator[_Gone]:
    for batch, future in on_their_way:
        yield batch, future.result()[0]


def _done(losses: _Losses) -> Future[_Losses]:
    future: Future[_Losses] = Future()
    future.set_result(losses)
    return future


class _Progress:
    """What has become of a send's messages so far."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._went_in: list[str] = []
        self._losses: list[Refusal] = []

    def note(self, message: Message, loss: Refusal | None) -> None:
        if loss:
            self._losses.append(loss)
        else:
            self._went_in.append(message.send_id)

    def outcome(self) -> Enqueued | NotEnqueued | None:
        """Return what became of the send, once it is known of all its messages."""
        draft, went_in, losses = self._draft, tuple(self._went_in), self._losses
        if len(went_in) + len(losses) < len(draft.messages):
            return None
        if losses:
            certain = all(loss.certain for loss in losses)
            return NotEnqueued(draft.index, draft.send_id, losses[0].why, certain, went_in, draft.fields)
        first = draft.messages[0]
        return Enqueued(draft.index, draft.send_id, went_in, first.lane, first.campaign, draft.fingerprint)


def _drafted(index: int, fields: Mapping[str, Any]) -> Draft:
    return drafted(fields, fresh_id=uuid.uuid4().hex, index=index)


def _not_a_send(index: int, fields: Mapping[str, Any], error: SendRefused) -> NotEnqueued:
    return NotEnqueued(index, str(fields.get("id") or ""), str(error), certain=True, went_in=(), fields=fields)


def _emptied[T](things: list[T]) -> Iterator[T]:
    while things:
        yield things.pop(0)


def _all_faults(refused: Sequence[tuple[int, Mapping[str, Any], tuple[str, ...]]], *, of: int) -> SendRefused:
    if of == 1:
        return SendRefused(refused[0][2])
    return SendRefused(
        [
            f"Send {index + 1}{f' ({id_})' if (id_ := fields.get('id')) else ''}: {fault}"
            for index, fields, faults in refused
            for fault in faults
        ]
    )
