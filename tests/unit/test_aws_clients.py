"""Clients of AWS: how long each waits, how often it tries, and what it takes for an answer."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.hooks import HierarchicalEmitter
from botocore.validate import ParamValidationDecorator

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores import aws as edge
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 25, 4, 0, 0, 500_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def told(client: Any) -> dict[str, Any]:
    config = client.meta.config
    return {
        "service": client.meta.service_model.service_name,
        "connections": config.max_pool_connections,
        "seconds": (config.connect_timeout, config.read_timeout),
        "attempts": (config.retries["mode"], config.retries["total_max_attempts"]),
        "keepalive": config.tcp_keepalive,
        "validates": isinstance(client._serializer, ParamValidationDecorator),
    }


QUICK = {"seconds": (2, 3), "attempts": ("standard", 3), "keepalive": True, "validates": True}
PATIENT = {
    "connections": 50,
    "seconds": (5, 30),
    "attempts": ("standard", 4),
    "keepalive": True,
    "validates": True,
}


def test_a_functions_clients_give_up_soon() -> None:
    assert told(edge.dynamodb(connections=7)) == QUICK | {"service": "dynamodb", "connections": 7}
    one_try = edge.dynamodb(connections=7, attempts=1, validate=False)
    assert told(one_try) == QUICK | {
        "service": "dynamodb",
        "connections": 7,
        "attempts": ("standard", 1),
        "validates": False,
    }
    assert told(edge.sqs(connections=5)) == QUICK | {"service": "sqs", "connections": 5}
    for client, service in (
        (edge.secrets_manager(), "secretsmanager"),
        (edge.systems_manager(), "ssm"),
        (edge.events(), "events"),
    ):
        assert told(client) == QUICK | {"service": service, "connections": 1}


def test_whoever_reads_pages_of_a_megabyte_waits_for_them() -> None:
    assert told(edge.dynamodb_for_reading(connections=9)) == QUICK | {
        "service": "dynamodb",
        "connections": 9,
        "seconds": (2, 30),
        "validates": False,
    }


PERSONS = {
    "cloudformation": "cloudformation",
    "sqs": "sqs",
    "dynamodb": "dynamodb",
    "secrets_manager": "secretsmanager",
    "sns": "sns",
    "functions": "lambda",
    "cloudwatch": "cloudwatch",
}


@pytest.mark.parametrize(("name", "service"), PERSONS.items())
def test_a_persons_clients_have_patience(name: str, service: str) -> None:
    person = edge.Person(region="eu-central-1")
    client = getattr(person, name)()
    assert told(client) == PATIENT | {"service": service}
    assert client.meta.region_name == person.region == "eu-central-1"


def test_a_person_is_where_the_environment_says_and_who_the_profile_is(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile prod]\nregion = cn-northwest-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert edge.Person().region == "cn-north-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert edge.Person(profile="prod").region == "cn-northwest-1"


def test_an_emulator_is_asked_with_credentials_of_its_own_and_past_every_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody's")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    person = edge.Person(region="us-east-1", emulator="http://127.0.0.1:24000")
    client: Any = person.sqs()
    assert person.region == "us-east-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:24000"
    assert client.meta.config.proxies == {}
    assert told(client) == PATIENT | {"service": "sqs"}
    credentials = person._session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == ("test", "test")
    elsewhere: Any = edge.Person(region="us-east-1").sqs()
    assert elsewhere.meta.config.proxies is None


# --- what is taken for an answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("BatchGetItem", ("Responses", "UnprocessedKeys")),
        ("BatchWriteItem", ("UnprocessedItems",)),
        ("Query", ("Items",)),
        ("Scan", ("Items",)),
        ("GetSecretValue", ("VersionId",)),
        ("PutItem", ()),
    ],
)
def test_every_good_answer_has_what_its_operation_promises(operation: str, members: tuple[str, ...]) -> None:
    def demand(parsed: dict[str, Any], *, status: int = 200, content: bytes = b"{}") -> None:
        edge._demand_what_was_promised(
            SimpleNamespace(status_code=status, content=content),
            parsed,
            SimpleNamespace(name=operation),
            {},
            request_id="an argument that nobody asked for",
        )

    whole = dict.fromkeys(members)
    demand(whole)
    for lost in members:
        some = {name: None for name in members if name != lost}
        with pytest.raises(edge.AnswerCutOff, match=f"The answer to {operation} has no {lost}."):
            demand(some)
        demand(some, status=300)
        demand(some, status=400)
    with pytest.raises(edge.AnswerCutOff, match="has no body"):
        demand(whole, content=b"")


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "TransactionCanceledException"])
def test_a_condition_that_fails_is_no_trouble(code: str) -> None:
    error = client_error(code, "UpdateItem")
    with pytest.raises(ClientError) as caught, edge.our_errors():
        raise error
    assert caught.value is error


def test_any_other_refusal_is_told_by_operation_and_code() -> None:
    refusal = client_error("Throttling", "UpdateItem")
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB UpdateItem: Throttling$"), edge.our_errors():
        raise refusal
    with pytest.raises(StoreUnavailable, match=r"^SQS UpdateItem: $"), edge.our_errors("SQS"):
        raise ClientError({}, "UpdateItem")
    with pytest.raises(StoreUnavailable, match=r"^SQS: ConnectTimeoutError$"), edge.our_errors("SQS"):
        raise ConnectTimeoutError(endpoint_url="x")


# --- the clock --------------------------------------------------------------------------------------------------


def skew(date: str | None, *, ahead: float = 0, took: float = 0) -> float:
    """Ask once on a machine that is ``ahead``, an answer that ``took`` its time and has this ``Date``."""
    now = [NOW + timedelta(seconds=ahead)]
    known = edge.Skew(lambda: now[0])
    events = HierarchicalEmitter()
    known.watch(cast("DynamoDBClient", SimpleNamespace(meta=SimpleNamespace(events=events))))
    context: dict[str, Any] = {}
    events.emit("before-call.dynamodb.GetItem", context=context, params={})
    now[0] += timedelta(seconds=took)
    answer = SimpleNamespace(headers={"Date": date} if date else {})
    events.emit("after-call.dynamodb.GetItem", http_response=answer, context=context, parsed={})
    return known.seconds()


DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("ahead", "took", "seconds"),
    [(0, 0, 0), (0, 0.2, 0), (100, 0, 99.5), (100, 20, 99.5), (-100, 0, -100.5), (-100, 20, -80.5)],
)
def test_a_clock_is_ahead_by_what_is_certain(ahead: float, took: float, seconds: float) -> None:
    assert abs(skew(DATE, ahead=ahead, took=took) - seconds) <= 1


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_without_a_date_says_nothing(date: str | None) -> None:
    assert skew(date, ahead=100) == 0
