"""The way in for users: checked as the sender checks, in the right lane, and no doubt about what went in."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from kuaixintong.core import sends
from kuaixintong.core.enqueueing import Message
from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.core.lanes import Lane
from kuaixintong.producer import (
    AccessRefused,
    Enqueued,
    NotAllEnqueued,
    NotEnqueued,
    Outbox,
    SendFields,
    SendRefused,
)
from kuaixintong.stores import aws as edge
from kuaixintong.stores.lanes import Lanes, Refusal
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOBILE = "13708600860"
GOOD: SendFields = {"mobiles": [MOBILE], "content": "周末参加不了培训了"}


def good(number: int, **more: Any) -> SendFields:
    return {"mobiles": [MOBILE], "content": "x", "id": f"order-{number}", **more}  # type: ignore[typeddict-item]


# --- a stack's queues, by moto ----------------------------------------------------------------------------------


class Queues:
    """The queues of a stack and what lies in them."""

    def __init__(self, sqs: "SQSClient") -> None:
        self._sqs = sqs
        self.urls = {lane: sqs.create_queue(QueueName=f"{lane}")["QueueUrl"] for lane in Lane}

    def taken(self, lane: Lane) -> list[dict[str, Any]]:
        """The bodies that lie in a lane, which is empty afterwards."""
        bodies: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.urls[lane], MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in messages]
        return bodies

    def ids(self, lane: Lane) -> list[str]:
        """The ids of the sends in a lane, sorted: a queue promises no order."""
        return sorted(body["id"] for body in self.taken(lane))


@pytest.fixture
def queues(sqs: "SQSClient") -> Queues:
    return Queues(sqs)


@pytest.fixture
def outbox(queues: Queues) -> Outbox:
    return Outbox.of_queues(
        queues.urls[Lane.ORDINARY], queues.urls[Lane.URGENT], calls=1
    )  # moto is for one thread


def test_a_send_lies_in_the_queue_as_the_sender_wants_it(outbox: Outbox, queues: Queues) -> None:
    enqueued = outbox.send(id="order-1", mobiles=["+86 137-0860-0860"], content="周末参加不了培训了")
    assert enqueued == Enqueued(0, "order-1", ("order-1",), Lane.ORDINARY, None)
    (body,) = queues.taken(Lane.ORDINARY)
    assert sends.parse(json.dumps(body), "x").mobiles == (MOBILE,)
    assert queues.taken(Lane.URGENT) == []


def test_a_one_time_code_takes_the_urgent_lane(outbox: Outbox, queues: Queues) -> None:
    assert outbox.send(mobiles=[MOBILE], content="123456", category="otp").lane is Lane.URGENT
    assert outbox.send(mobiles=[MOBILE], content="x", category="marketing", campaign="c").campaign == "c"
    assert (len(queues.taken(Lane.URGENT)), len(queues.taken(Lane.ORDINARY))) == (1, 1)


def test_a_send_without_an_id_is_known_by_the_one_that_it_gets(outbox: Outbox, queues: Queues) -> None:
    one, other = outbox.send(**GOOD), outbox.send(**GOOD)
    assert queues.ids(Lane.ORDINARY) == sorted([one.send_id, other.send_id])
    assert one.send_id != other.send_id


def test_a_broken_rule_raises_with_all_faults_and_enqueues_nothing(outbox: Outbox, queues: Queues) -> None:
    with pytest.raises(SendRefused) as caught:
        outbox.send(mobile=[MOBILE], content="", id="?")  # type: ignore[call-arg]
    assert [fault.partition(" is ")[0] for fault in caught.value.faults] == [
        "mobiles",
        "content",
        "id",
        '"mobile"',
    ]
    assert queues.taken(Lane.ORDINARY) == []


def test_many_sends_go_ten_a_call_each_in_its_lane_and_are_told_in_their_order(
    outbox: Outbox, queues: Queues
) -> None:
    asked = [good(number, category="otp" if number % 3 == 0 else "notice") for number in range(35)]
    enqueued = outbox.send_many(asked)
    assert [(each.index, each.send_id) for each in enqueued] == [(n, f"order-{n}") for n in range(35)]
    assert queues.ids(Lane.URGENT) == sorted(f"order-{n}" for n in range(0, 35, 3))
    assert queues.ids(Lane.ORDINARY) == sorted(f"order-{n}" for n in range(35) if n % 3)


def test_large_bodies_are_no_more_than_a_mebibyte_a_call(outbox: Outbox, queues: Queues) -> None:
    mobiles = [f"137{number:08}" for number in range(30_000)]  # 420 KB each
    outbox.send_many([good(number, mobiles=mobiles) for number in range(5)])  # moto refuses a batch that is larger
    assert queues.ids(Lane.ORDINARY) == [f"order-{n}" for n in range(5)]


def test_a_send_that_fits_no_message_is_enqueued_as_several_of_one_campaign(
    outbox: Outbox, queues: Queues
) -> None:
    mobiles = [f"137{number:08}" for number in range(100_000)]
    enqueued = outbox.send(id="spring", mobiles=mobiles, content="x")
    assert enqueued == Enqueued(0, "spring", ("spring:1", "spring:2"), Lane.ORDINARY, "spring")
    bodies = sorted(queues.taken(Lane.ORDINARY), key=lambda body: body["id"])
    assert [(body["id"], body["campaign"], len(body["mobiles"])) for body in bodies] == [
        ("spring:1", "spring", 70_000),
        ("spring:2", "spring", 30_000),
    ]


def test_of_many_sends_one_that_breaks_a_rule_keeps_all_from_being_enqueued(
    outbox: Outbox, queues: Queues
) -> None:
    with pytest.raises(SendRefused) as caught:
        outbox.send_many([good(0), good(1, content=""), good(2), {"mobiles": [], "content": "x"}])
    assert [fault[:32] for fault in caught.value.faults] == [
        "Send 2 (order-1): content is emp",
        "Send 4: mobiles is an empty arra",
    ]
    assert queues.taken(Lane.ORDINARY) == []


def test_no_sends_are_none(outbox: Outbox) -> None:
    assert outbox.send_many([]) == [*outbox.send_each([])] == []


def test_a_stream_of_sends_tells_of_each_as_its_batch_has_gone(outbox: Outbox, queues: Queues) -> None:
    asked: list[int] = []

    def endless() -> Iterator[SendFields]:
        while True:
            asked.append(len(asked))
            yield good(len(asked), content="" if len(asked) == 3 else "x")

    outcomes = [*islice(outbox.send_each(endless()), 11)]
    assert len(asked) < 25
    (refused,) = [each for each in outcomes if isinstance(each, NotEnqueued)]
    assert (refused.index, refused.send_id, refused.certain) == (2, "order-3", True)
    assert refused.why.startswith("content is empty")
    assert queues.ids(Lane.ORDINARY) == sorted(each.send_id for each in outcomes if isinstance(each, Enqueued))


def test_another_thread_may_use_an_outbox_and_so_may_asyncio(outbox: Outbox, queues: Queues) -> None:
    async def from_asyncio() -> Enqueued:
        return await asyncio.to_thread(outbox.send, id="async", mobiles=[MOBILE], content="x")

    with ThreadPoolExecutor(1) as threads:  # moto is for one thread at a time
        threads.submit(outbox.send, **good(1)).result()
    assert asyncio.run(from_asyncio()).send_id == "async"
    assert queues.ids(Lane.ORDINARY) == ["async", "order-1"]


# --- a queue that does what a test says -------------------------------------------------------------------------

type Step = Exception | Mapping[str, tuple[str, bool]] | None


def refused_by_aws(code: str, operation: str = "SendMessageBatch") -> ClientError:
    return client_error(code, operation)


class ScriptedQueue:
    """SQS, call by call: an error, the codes by which it refuses sends of a batch, or nothing out of line."""

    def __init__(self, *script: Step) -> None:
        self._script = list(script)
        self.calls: list[list[str]] = []
        self.taken: list[str] = []
        self.slept: list[float] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:  # noqa: N803
        step = self._script.pop(0) if self._script else None
        if isinstance(step, Exception):
            self.calls.append([json.loads(entry["MessageBody"])["id"] for entry in Entries])
            raise step
        refused = step or {}
        ids = {entry["Id"]: json.loads(entry["MessageBody"])["id"] for entry in Entries}
        self.calls.append([*ids.values()])
        self.taken += [send_id for send_id in ids.values() if send_id not in refused]
        return {
            "Successful": [{"Id": place} for place, send_id in ids.items() if send_id not in refused],
            "Failed": [
                {"Id": place, "Code": refused[send_id][0], "SenderFault": refused[send_id][1]}
                for place, send_id in ids.items()
                if send_id in refused
            ],
        }

    @property
    def outbox(self) -> Outbox:
        lanes = Lanes(self, dict.fromkeys(Lane, "https://queue.example/sends"))  # type: ignore[arg-type]
        return Outbox(lanes, calls=1, sleep=self.slept.append)


def test_what_a_batch_did_not_take_is_told_and_what_it_took_as_well() -> None:
    queue = ScriptedQueue({"order-3": ("InvalidMessageContents", True)})
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send_many([good(number) for number in range(12)])
    error = caught.value
    assert [each.send_id for each in error.enqueued] == [f"order-{n}" for n in range(12) if n != 3]
    (failed,) = error.failed
    assert (failed.index, failed.send_id, failed.why, failed.certain) == (
        3,
        "order-3",
        "sqs InvalidMessageContents",
        True,
    )
    assert str(error) == (
        "1 of 12 sends did not go in (order-3: sqs InvalidMessageContents). "
        "Enqueued again under the same ids, none of them is sent twice."
    )
    assert sorted(queue.taken) == sorted(each.send_id for each in error.enqueued)


def test_a_passing_refusal_inside_a_batch_is_tried_again_for_what_was_refused_alone() -> None:
    throttled = {"order-1": ("ServiceUnavailable", False), "order-2": ("ServiceUnavailable", False)}
    queue = ScriptedQueue(throttled, {"order-2": ("ServiceUnavailable", False)})
    assert len(queue.outbox.send_many([good(number) for number in range(3)])) == 3
    assert queue.calls == [["order-0", "order-1", "order-2"], ["order-1", "order-2"], ["order-2"]]
    assert len(queue.slept) == 2


def test_a_refusal_that_does_not_pass_is_told_after_some_tries() -> None:
    queue = ScriptedQueue(*[{"order-1": ("InternalError", False)}] * 9)
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send_many([good(number) for number in range(2)])
    assert [(each.send_id, each.why) for each in caught.value.failed] == [("order-1", "sqs InternalError")]
    assert len(queue.calls) == 4


def test_once_aws_has_failed_nothing_more_is_tried_and_only_the_batch_on_its_way_is_in_doubt() -> None:
    queue = ScriptedQueue(None, EndpointConnectionError(endpoint_url="https://queue.example"))
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send_many([good(number) for number in range(40)])
    error = caught.value
    assert [each.index for each in error.enqueued] == [*range(10)]
    assert [each.index for each in error.failed if not each.certain] == [*range(10, 20)]
    assert [each.index for each in error.failed if each.certain] == [*range(20, 40)]
    assert error.failed[-1].why == "not tried any more: sqs was not reached: EndpointConnectionError"
    assert len(queue.calls) == 2


def test_what_failed_can_be_enqueued_again_as_it_is_under_the_same_id() -> None:
    queue = ScriptedQueue(EndpointConnectionError(endpoint_url="https://queue.example"))
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send(mobiles=(each for each in [MOBILE]), content="x")
    (failed,) = caught.value.failed
    again = queue.outbox.send_many([failed.fields])  # type: ignore[list-item]
    assert queue.calls == [[failed.send_id], [failed.send_id]]
    assert again[0].send_id == failed.send_id


def test_of_a_send_that_is_shared_out_the_shares_that_went_in_are_told() -> None:
    queue = ScriptedQueue(None, EndpointConnectionError(endpoint_url="https://queue.example"))
    mobiles = [f"137{number:08}" for number in range(100_000)]
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send(id="spring", mobiles=mobiles, content="x")
    (failed,) = caught.value.failed
    assert (failed.send_id, failed.went_in, failed.certain) == ("spring", ("spring:1",), False)


def test_an_answer_without_its_end_leaves_the_batch_in_doubt() -> None:
    class CutOff(ScriptedQueue):
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            return {"Successful": super().send_message_batch(**request)["Successful"][:1]}

    with pytest.raises(NotAllEnqueued) as caught:
        CutOff().outbox.send_many([good(number) for number in range(3)])
    assert [each.certain for each in caught.value.failed] == [False] * 3


class Meeting(Lanes):
    """Queues that take a batch only when so many are on their way at once; one batch they do not take at all."""

    def __init__(self, parties: int, failing: str = "") -> None:
        self._barrier = threading.Barrier(parties)
        self._failing = failing
        self.taken: list[str] = []

    def put(self, lane: Lane, messages: Sequence[Message]) -> dict[int, Refusal]:
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(10)
        if self._failing in [each.send_id for each in messages]:
            raise StoreUnavailable("away")
        self.taken += [each.send_id for each in messages]
        return {}


def test_batches_of_many_sends_are_on_their_way_side_by_side_and_told_in_order() -> None:
    lanes = Meeting(parties=3)
    enqueued = Outbox(lanes, calls=3).send_many([good(number) for number in range(60)])
    assert [each.send_id for each in enqueued] == [f"order-{n}" for n in range(60)]
    assert sorted(lanes.taken) == sorted(f"order-{n}" for n in range(60))


def test_of_batches_side_by_side_those_beside_a_failed_one_are_told_for_what_they_are() -> None:
    lanes = Meeting(parties=3, failing="order-5")
    with pytest.raises(NotAllEnqueued) as caught:
        Outbox(lanes, calls=3).send_many([good(number) for number in range(90)])
    error = caught.value
    assert sorted(each.send_id for each in error.enqueued) == sorted(lanes.taken)
    assert [each.index for each in error.failed if not each.certain] == [*range(10)]
    assert {each.why for each in error.failed if each.certain} == {"not tried any more: away"}
    assert len(error.enqueued) + len(error.failed) == 90
    assert len(lanes.taken) < 60


def test_whatever_the_sends_come_from_may_fail_and_what_is_on_its_way_is_told_all_the_same() -> None:
    def source() -> Iterator[SendFields]:
        yield from (good(number) for number in range(25))
        raise OSError("the file is gone")

    lanes = Meeting(parties=1)
    outcomes = Outbox(lanes, calls=4).send_each(source())
    told = [next(outcomes).send_id for _ in range(20)]
    with pytest.raises(OSError, match="the file is gone"):
        next(outcomes)
    assert told == sorted(lanes.taken, key=lambda send_id: int(send_id.partition("-")[2]))
    assert len(told) == 20


def test_two_sends_of_one_call_may_have_the_same_id() -> None:
    queue = ScriptedQueue()
    assert [each.index for each in queue.outbox.send_many([good(1), good(1)])] == [0, 1]


def test_an_error_names_no_mobile_that_an_id_is_made_of() -> None:
    queue = ScriptedQueue({f"otp-{MOBILE}": ("InternalError", True)})
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send(id=f"otp-{MOBILE}", mobiles=[MOBILE], content="x")
    assert MOBILE not in str(caught.value)
    assert MOBILE not in repr(caught.value)


def test_very_many_failures_are_counted_and_three_are_named() -> None:
    queue = ScriptedQueue(refused_by_aws("AccessDenied"))
    with pytest.raises(NotAllEnqueued) as caught:
        queue.outbox.send_many([good(number) for number in range(1_000)])
    assert "1000 of 1000 sends did not go in" in str(caught.value)
    assert "and 997 more" in str(caught.value)
    assert "do not permit sqs:SendMessage;" in str(caught.value)
    assert all(each.certain for each in caught.value.failed)
    assert len(str(caught.value)) < 500


# --- the way to the stack ---------------------------------------------------------------------------------------


@pytest.fixture
def described(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """CloudFormation, whose answers a test lays down; they are checked against the service's own model."""
    client = boto3.client("cloudformation")
    monkeypatch.setattr(edge.Person, "cloudformation", lambda _: client)
    with Stubber(client) as stubber:
        yield stubber


def describe(stubber: Stubber, **outputs: str) -> None:
    told = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    one = {
        "StackName": "kuaixintong-prod",
        "CreationTime": "2026-11-25T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
    }
    stubber.add_response(
        "describe_stacks", {"Stacks": [one | {"Outputs": told}]}, {"StackName": "kuaixintong-prod"}
    )


def test_an_outbox_finds_its_queues_by_the_stacks_name(described: Stubber, queues: Queues) -> None:
    urls = queues.urls
    describe(described, SendQueueUrl=urls[Lane.ORDINARY], UrgentQueueUrl=urls[Lane.URGENT], PushUrl="https://push")
    outbox = Outbox.of_stack("kuaixintong-prod")
    outbox.send(id="a", mobiles=[MOBILE], content="x", category="otp")
    outbox.send(id="b", mobiles=[MOBILE], content="x")
    assert (queues.ids(Lane.URGENT), queues.ids(Lane.ORDINARY)) == (["a"], ["b"])


def test_a_stack_of_one_lane_takes_one_time_codes_in_it(described: Stubber, queues: Queues) -> None:
    describe(described, SendQueueUrl=queues.urls[Lane.ORDINARY])
    Outbox.of_stack("kuaixintong-prod").send(id="a", mobiles=[MOBILE], content="x", category="otp")
    assert queues.ids(Lane.ORDINARY) == ["a"]


def test_a_stack_without_a_queue_is_told(described: Stubber) -> None:
    describe(described, PushUrl="https://push")
    with pytest.raises(AccessRefused, match="kuaixintong-prod has no output SendQueueUrl"):
        Outbox.of_stack("kuaixintong-prod")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ValidationError", "There is no stack kuaixintong-prod in the region us-east-1 of this account."),
        ("AccessDenied", "do not permit cloudformation:DescribeStacks"),
        ("ExpiredToken", r"no longer \(ExpiredToken\); log in again"),
        ("InvalidClientTokenId", "AWS does not know these credentials"),
    ],
)
def test_what_aws_refuses_is_told_in_a_sentence_with_the_next_step(
    described: Stubber, code: str, sentence: str
) -> None:
    described.add_client_error("describe_stacks", code)
    with pytest.raises(AccessRefused, match=sentence):
        Outbox.of_stack("kuaixintong-prod")


def test_missing_credentials_profile_and_region_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessRefused, match=r"no AWS profile of that name \(nobody\)"):
        Outbox.of_stack("kuaixintong-prod", profile="nobody")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessRefused, match="No AWS credentials were found"):
        Outbox.of_stack("kuaixintong-prod", region="us-east-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AccessRefused, match="No AWS region is set"):
        Outbox.of_stack("kuaixintong-prod")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refused_by_aws("AWS.SimpleQueueService.NonExistentQueue"), "The queue is not there"),
        (refused_by_aws("InternalFailure"), "sqs SendMessageBatch: InternalFailure"),
        (NoCredentialsError(), "No AWS credentials were found"),
    ],
)
def test_why_nothing_went_in_is_told_in_a_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(NotAllEnqueued, match=sentence):
        ScriptedQueue(error).outbox.send(**GOOD)
