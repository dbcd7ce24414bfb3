"""What AWS refuses a person is told in a sentence that says who has to do what."""

import pytest
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from kuaixintong.core.errors import AccessRefused, KuaixintongError, StoreUnavailable
from kuaixintong.stores.access import explained, refusals
from tests.aws_faults import client_error

LOG_IN = "AWS does not know these credentials, or no longer ({}); log in again."
NO_QUEUE = "The queue is not there: the stack's outputs name another one by now, or the region differs."
GONE = "What the stack's outputs name is not there: it was removed, or restored under another name."


def refusal(code: str, operation: str = "SendMessage") -> ClientError:
    return client_error(code, operation)


def told(error: Exception, service: str = "sqs", **missing: str) -> KuaixintongError:
    with pytest.raises(KuaixintongError) as caught, refusals(service, missing):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
)
@pytest.mark.parametrize(
    ("operation", "action"),
    [("SendMessage", "SendMessage"), ("SendMessageBatch", "SendMessage"), ("Query", "Query")],
)
def test_a_missing_permission_is_told_by_its_name(code: str, operation: str, action: str) -> None:
    error = told(refusal(code, operation))
    assert isinstance(error, AccessRefused)
    assert str(error) == f"These AWS credentials do not permit sqs:{action}; its policy has to be widened."


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "InvalidSecurity",
        "IncompleteSignature",
    ],
)
def test_credentials_that_aws_does_not_know_are_told(code: str) -> None:
    error = told(refusal(code))
    assert (type(error), str(error)) == (AccessRefused, LOG_IN.format(code))


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"])
def test_a_queue_that_is_not_there_is_told(code: str) -> None:
    error = told(refusal(code))
    assert (type(error), str(error)) == (AccessRefused, NO_QUEUE)


def test_what_a_caller_knows_to_mean_a_missing_thing_is_told_in_its_words() -> None:
    error = told(refusal("ValidationError"), "cloudformation", ValidationError="There is no such stack.")
    assert (type(error), str(error)) == (AccessRefused, "There is no such stack.")


@pytest.mark.parametrize("response", [{"Error": {"Code": "ThrottlingException"}}, {"Error": {}}, {}])
def test_what_may_pass_is_told_as_such(response: dict[str, dict[str, str]]) -> None:
    error = told(ClientError(response, "SendMessageBatch"))  # type: ignore[arg-type]
    code = response.get("Error", {}).get("Code", "")
    assert (type(error), str(error)) == (StoreUnavailable, f"sqs SendMessageBatch: {code}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aws.ProfileNotFound(profile="prod"), "There is no AWS profile of that name (prod)."),
        (aws.NoRegionError(), "No AWS region is set: name one, or set AWS_REGION."),
        (
            aws.NoCredentialsError(),
            "No AWS credentials were found: set AWS_PROFILE or log in, as for the AWS CLI.",
        ),
        (
            aws.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"),
            "The AWS credentials cannot be read (PartialCredentialsError); log in again.",
        ),
        (
            aws.CredentialRetrievalError(provider="sso", error_msg="x"),
            "The AWS credentials cannot be read (CredentialRetrievalError); log in again.",
        ),
        (
            aws.TokenRetrievalError(provider="sso", error_msg="x"),
            "The AWS credentials cannot be read (TokenRetrievalError); log in again.",
        ),
        (
            aws.SSOTokenLoadError(error_msg="x"),
            "The AWS credentials cannot be read (SSOTokenLoadError); log in again.",
        ),
    ],
)
def test_what_a_person_has_to_set_up_is_told(error: BotoCoreError, words: str) -> None:
    found = told(error)
    assert (type(found), str(found)) == (AccessRefused, words)


def test_a_service_that_is_not_reached_is_told_by_its_name() -> None:
    error = told(aws.EndpointConnectionError(endpoint_url="https://sqs.example"))
    assert (type(error), str(error)) == (StoreUnavailable, "sqs was not reached: EndpointConnectionError")


# --- what a function's error means to a person ------------------------------------------------------------------


def unavailable(cause: Exception | None, words: str) -> StoreUnavailable:
    error = StoreUnavailable(words)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("service", "prefix"),
    [("DynamoDB", "dynamodb"), ("SQS", "sqs"), ("Secrets Manager", "secretsmanager")],
)
def test_a_stores_error_is_explained_by_what_aws_said(service: str, prefix: str) -> None:
    found = explained(unavailable(refusal("AccessDenied", "Query"), f"{service} said no"))
    assert (type(found), str(found)) == (
        AccessRefused,
        f"These AWS credentials do not permit {prefix}:Query; its policy has to be widened.",
    )
    found = explained(unavailable(refusal("ThrottlingException", "Query"), f"{service} said no"))
    assert (type(found), str(found)) == (StoreUnavailable, f"{prefix} Query: ThrottlingException")
    found = explained(unavailable(aws.NoRegionError(), f"{service} was not asked"))
    assert type(found) is AccessRefused
    found = explained(unavailable(aws.ConnectTimeoutError(endpoint_url="x"), f"{service} was not asked"))
    assert (type(found), str(found)) == (
        StoreUnavailable,
        f"{prefix} was not reached: ConnectTimeoutError. Check the network, the proxy and the region.",
    )


def test_a_table_that_is_gone_is_told() -> None:
    found = explained(unavailable(refusal("ResourceNotFoundException", "Query"), "DynamoDB said no"))
    assert (type(found), str(found)) == (AccessRefused, GONE)


def test_of_a_service_that_nobody_knows_the_error_itself_is_told() -> None:
    error = unavailable(refusal("AccessDenied"), "Kinesis said no")
    assert explained(error) is error
    lost = unavailable(aws.ConnectTimeoutError(endpoint_url="x"), "Kinesis was not asked")
    assert str(explained(lost)) == "Kinesis was not asked. Check the network, the proxy and the region."


@pytest.mark.parametrize(
    "error",
    [
        unavailable(None, "DynamoDB said no"),
        unavailable(ValueError("x"), "DynamoDB said no"),
        AccessRefused("DynamoDB said no"),
    ],
)
def test_what_aws_has_not_caused_stays_as_it_is(error: KuaixintongError) -> None:
    if isinstance(error, AccessRefused):
        error.__cause__ = refusal("ThrottlingException")
    assert explained(error) is error
