"""AWS's edge: the one place that makes clients, and that turns what AWS raises into errors of ours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kuaixintong.core.beijing import ahead
from kuaixintong.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from kuaixintong.stores.bus import EventsClient


def _config(connections: int, attempts: int = 3, *, validate: bool = True) -> Config:
    return Config(
        max_pool_connections=connections,
        connect_timeout=2,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        parameter_validation=validate,
    )


def dynamodb(*, connections: int, attempts: int = 3, validate: bool = True) -> "DynamoDBClient":
    """Return a DynamoDB client for up to ``connections`` threads; a call gives up after ``attempts`` tries.

    Without ``validate``, boto3 does not check parameters against the service's model, which halves the processor
    time of a batch of rows.
    """
    client = boto3.client("dynamodb", config=_config(connections, attempts, validate=validate))
    _refuse_cut_off_answers(client)
    return client


def dynamodb_for_reading(*, connections: int) -> "DynamoDBClient":
    """Return a DynamoDB client for those who read pages of 1 MB side by side, and have the time for it."""
    config = _config(connections, validate=False).merge(Config(read_timeout=30))
    client = boto3.client("dynamodb", config=config)
    _refuse_cut_off_answers(client)
    return client


def secrets_manager() -> "SecretsManagerClient":
    """Return a Secrets Manager client."""
    client = boto3.client("secretsmanager", config=_config(1))
    _refuse_cut_off_answers(client)
    return client


def systems_manager() -> Any:
    """Return a client of Systems Manager."""
    return boto3.client("ssm", config=_config(1))


def sqs(*, connections: int) -> "SQSClient":
    """Return an SQS client for up to ``connections`` threads."""
    return boto3.client("sqs", config=_config(connections))


def events() -> "EventsClient":
    """Return a client of EventBridge."""
    client: EventsClient = boto3.client("events", config=_config(1))
    return client


class Person:
    """The clients of somebody outside the stack, on credentials of their own and over a network of any kind.

    ``profile`` and ``region`` are those of the AWS CLI; ``None`` takes what the environment says. ``emulator`` is
    the address of emulated AWS on this machine: it takes any credentials, and is reached past every proxy. Raises
    what :func:`kuaixintong.stores.access.refusals` puts into sentences.
    """

    def __init__(
        self, *, region: str | None = None, profile: str | None = None, emulator: str | None = None
    ) -> None:
        self._emulator = emulator
        if emulator:
            self._session = boto3.Session("test", "test", region_name=region)
        else:
            self._session = boto3.Session(region_name=region, profile_name=profile)

    @property
    def region(self) -> str | None:
        """The region that is asked."""
        return self._session.region_name

    def _client(self, service: Any) -> Any:
        config = _PATIENT.merge(Config(proxies={})) if self._emulator else _PATIENT
        return self._session.client(service, endpoint_url=self._emulator, config=config)

    def cloudformation(self) -> "CloudFormationClient":
        """Return a CloudFormation client."""
        return self._client("cloudformation")  # type: ignore[no-any-return]

    def sqs(self) -> "SQSClient":
        """Return an SQS client for as many threads as a producer may have."""
        return self._client("sqs")  # type: ignore[no-any-return]

    def dynamodb(self) -> "DynamoDBClient":
        """Return a DynamoDB client for as many threads."""
        client: DynamoDBClient = self._client("dynamodb")
        _refuse_cut_off_answers(client)
        return client

    def secrets_manager(self) -> "SecretsManagerClient":
        """Return a Secrets Manager client."""
        return self._client("secretsmanager")  # type: ignore[no-any-return]

    def sns(self) -> "SNSClient":
        """Return an SNS client."""
        return self._client("sns")  # type: ignore[no-any-return]

    def functions(self) -> "LambdaClient":
        """Return a Lambda client."""
        return self._client("lambda")  # type: ignore[no-any-return]

    def cloudwatch(self) -> "CloudWatchClient":
        """Return a CloudWatch client."""
        return self._client("cloudwatch")  # type: ignore[no-any-return]


_PATIENT = Config(
    max_pool_connections=50,
    connect_timeout=5,
    read_timeout=30,  # 1 MiB over a slow line
    retries={"mode": "standard", "total_max_attempts": 4},
    tcp_keepalive=True,
)


class AnswerCutOff(BotoCoreError):
    """A good answer that has lost its end, or all of itself. Whether AWS has acted is not known."""

    fmt = "The answer to {operation} has no {lost}."


_PROMISED = MappingProxyType(
    {
        "BatchGetItem": ("Responses", "UnprocessedKeys"),
        "BatchWriteItem": ("UnprocessedItems",),
        "Query": ("Items",),
        "Scan": ("Items",),
        "GetSecretValue": ("VersionId",),
    }
)
"""Members that stand in every good answer, whatever was asked."""


def _refuse_cut_off_answers(client: "DynamoDBClient | SecretsManagerClient") -> None:
    """Let an answer without a body raise. boto3 hands it on as ``{}``, which for a read says "no such item"."""
    client.meta.events.register("before-parameter-build", _note_what_was_asked)
    client.meta.events.register("after-call", _demand_what_was_promised)


def _note_what_was_asked(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
    if params.get("ReturnValues") in ("ALL_NEW", "UPDATED_NEW"):
        context["promised"] = ("Attributes",)


def _demand_what_was_promised(
    http_response: Any, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any
) -> None:
    if http_response.status_code >= 300:  # AWS says no, in words or without: boto3's own business
        return
    promised = (*_PROMISED.get(model.name, ()), *context.get("promised", ()))
    lost = next((name for name in promised if name not in parsed), None if http_response.content else "body")
    if lost:
        raise AnswerCutOff(operation=model.name, lost=lost)


_CONDITIONS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})


@contextmanager
def our_errors(service: str = "DynamoDB") -> Iterator[None]:
    """Turn what AWS raises into :class:`StoreUnavailable`, whose text names the operation and AWS's code alone.

    A failed condition is no trouble of the store's: it goes up as it is, for the caller to decide.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _CONDITIONS:
            raise
        raise StoreUnavailable(f"{service} {error.operation_name}: {code}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{service}: {type(error).__name__}") from error


class Skew:
    """How far this machine's clock is from AWS's, for certain, as the ``Date`` of AWS's answers tells it.

    The header has whole seconds, and an answer takes its time: the true moment lies between the request and the
    answer, and what that leaves open counts as nothing.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._seconds = 0.0

    def watch(self, client: "DynamoDBClient | SecretsManagerClient") -> None:
        """Learn from every answer that this client gets."""
        client.meta.events.register("before-call", self._note_when_asked)
        client.meta.events.register("after-call", self._note_answer)

    def seconds(self) -> float:
        """Return how many seconds this machine is ahead of AWS, negative if it is behind."""
        return self._seconds

    def _note_when_asked(self, context: dict[str, Any], **_: Any) -> None:
        context["asked_at"] = self._clock()

    def _note_answer(self, http_response: Any, context: Mapping[str, Any], **_: Any) -> None:
        asked_at, text = context.get("asked_at"), http_response.headers.get("Date")
        if asked_at is None or not text:
            return
        try:
            told = parsedate_to_datetime(text)
        except ValueError:
            return
        self._seconds = ahead(asked=asked_at, told=told, answered=self._clock())
