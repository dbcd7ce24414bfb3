"""Events on their way to the bus: as many at once as it takes, and each answered for."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores.bus import TOO_LARGE, Bus, Entry
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Services:
    """EventBridge and SQS, on paper. ``refused`` are the details that are not taken."""

    def __init__(self, *refused: str, fails: bool = False) -> None:
        self.refused = refused
        self.fails = fails
        self.requests: list[list[dict[str, str]]] = []
        self.buried: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        if self.fails:
            raise client_error("InternalFailure", "PutEvents")
        self.requests.append(Entries)
        return {"Entries": [{"ErrorCode": "Busy"} if each["Detail"] in self.refused else {} for each in Entries]}

    def send_message(self, **asked: Any) -> None:
        if self.fails:
            raise client_error("InternalFailure", "SendMessage")
        self.buried.append(asked)


def bus(services: Services) -> Bus:
    return Bus(services, "a-bus", cast("SQSClient", services), "a-queue", source="kuaixintong")


def detail(size: int) -> str:
    return json.dumps("x" * (size - 2))


def sizes(services: Services) -> list[list[int]]:
    return [[len(each["Detail"]) for each in some] for some in services.requests]


def test_an_event_is_put_on_the_bus_with_its_type_and_source() -> None:
    services = Services()
    assert bus(services).put([Entry("PartStatus", "{}")]) == [None]
    assert services.requests == [
        [{"EventBusName": "a-bus", "Source": "kuaixintong", "DetailType": "PartStatus", "Detail": "{}"}]
    ]


def test_ten_go_together() -> None:
    services = Services()
    assert bus(services).put([Entry("x", detail(9))] * 21) == [None] * 21
    assert [*map(len, services.requests)] == [10, 10, 1]
    assert bus(services).put([]) == []
    assert len(services.requests) == 3


@pytest.mark.parametrize(
    ("events", "requests"),
    [
        ([100_000, 100_000], [[100_000, 100_000]]),
        ([100_000, 100_001], [[100_000], [100_001]]),
        ([120_000, 60_000, 30_000, 170_000, 1_000], [[120_000, 60_000], [30_000, 170_000], [1_000]]),
        ([1_000, 255_000, 1_000], [[1_000], [255_000], [1_000]]),
    ],
)
def test_no_request_is_larger_than_what_is_sent_together_but_for_one_event(
    events: list[int], requests: list[list[int]]
) -> None:
    services = Services()
    assert bus(services).put([Entry("x", detail(size)) for size in events]) == [None] * len(events)
    assert sizes(services) == requests


def test_what_is_larger_than_an_event_may_be_is_not_tried() -> None:
    services = Services("2")
    entries = [Entry("x", each) for each in ("1", detail(255_001), "2", "3")]
    assert bus(services).put(entries) == [None, TOO_LARGE, "Busy", None]
    assert sizes(services) == [[1, 1, 1]]
    wide = json.dumps("信" * 100_000, ensure_ascii=False)  # three bytes each
    assert bus(services).put([Entry("x", wide)]) == [TOO_LARGE]


def test_a_bus_that_fails_is_told_for_each_event() -> None:
    told = bus(Services(fails=True)).put([Entry("x", "1")] * 2)
    assert told == ["EventBridge PutEvents: InternalFailure"] * 2


def test_what_cannot_be_put_there_is_kept_whole_with_the_reason() -> None:
    services = Services()
    bus(services).bury(Entry("PartStatus", '{"words": "好的"}'), "Busy")
    (asked,) = services.buried
    assert asked["QueueUrl"] == "a-queue"
    assert "好的" in asked["MessageBody"]
    assert json.loads(asked["MessageBody"]) == {
        "source": "kuaixintong",
        "detail-type": "PartStatus",
        "why": "Busy",
        "detail": {"words": "好的"},
    }


def test_a_queue_that_fails_is_trouble() -> None:
    with pytest.raises(StoreUnavailable, match=r"^SQS SendMessage: InternalFailure$"):
        bus(Services(fails=True)).bury(Entry("PartStatus", "{}"), "Busy")


def test_an_event_does_not_show_what_it_says() -> None:
    assert "secret" not in repr(Entry("PartStatus", '"secret"'))
