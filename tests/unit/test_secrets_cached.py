"""A secret is read when it is needed, by its ARN, and as seldom as it may be."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import CredentialsUnusable, StoreUnavailable
from kuaixintong.stores.secrets import CachedSecret
from tests.aws_faults import client_error

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TEXT = '{"cid": "12345678", "uid": "test", "pwd": "secret"}'


class Client:
    """Secrets Manager on paper. The version is how often it was asked."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.calls = 0
        self.fails = False

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        assert SecretId == "an-arn"
        self.calls += 1
        if self.fails:
            raise client_error("InternalError", "GetSecretValue")
        return {"VersionId": f"version-{self.calls}"} | self.answer


def cached(client: Client, now: list[float]) -> CachedSecret[PlatformCredentials]:
    return CachedSecret(
        cast("SecretsManagerClient", client), "an-arn", PlatformCredentials, monotonic=lambda: now[0]
    )


def test_a_secret_is_read_at_its_first_use_and_then_every_five_minutes() -> None:
    client, now = Client(SecretString=TEXT), [0.0]
    secret = cached(client, now)
    assert client.calls == 0
    for second, calls in ((0.0, 1), (299.9, 1), (300.0, 2), (599.9, 2), (600.0, 3)):
        now[0] = second
        assert secret.get().version == f"version-{calls}"


def test_a_secret_that_is_disowned_is_read_again_but_not_too_often() -> None:
    client, now = Client(SecretString=TEXT), [0.0]
    secret = cached(client, now)
    assert secret.get().version == "version-1"
    assert secret.get(newer_than="version-0").version == "version-1"
    now[0] = 9.9
    assert secret.get(newer_than="version-1", at_most_every=10).version == "version-1"
    now[0] = 10.0
    assert secret.get(newer_than="version-1", at_most_every=10).version == "version-2"
    assert secret.get(newer_than="version-1").version == "version-2"


def test_a_secret_without_a_text_is_unusable() -> None:
    with pytest.raises(CredentialsUnusable, match="cid"):
        cached(Client(), [0.0]).get()


def test_secrets_manager_that_fails_is_told_as_what_it_is() -> None:
    client = Client(SecretString=TEXT)
    client.fails = True
    secret = cached(client, [0.0])
    for calls in (1, 2):
        with pytest.raises(StoreUnavailable, match=r"^Secrets Manager GetSecretValue: InternalError$"):
            secret.get()
        assert client.calls == calls
