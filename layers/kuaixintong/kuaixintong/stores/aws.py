"""AWS's edge: the one place that makes clients, and that turns what AWS raises into errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kuaixintong.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


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
    return boto3.client("dynamodb", config=_config(connections, attempts, validate=validate))


def secrets_manager() -> "SecretsManagerClient":
    """Return a Secrets Manager client."""
    return boto3.client("secretsmanager", config=_config(1))


def sqs(*, connections: int) -> "SQSClient":
    """Return an SQS client for up to ``connections`` threads."""
    return boto3.client("sqs", config=_config(connections))


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
