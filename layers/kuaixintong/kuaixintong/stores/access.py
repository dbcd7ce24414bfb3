"""What AWS refuses a person, in sentences: who has to do what, instead of an error's name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from kuaixintong.core.errors import AccessRefused, KuaixintongError, StoreUnavailable

_NO_PERMISSION = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)

_UNKNOWN_CREDENTIALS = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "InvalidAccessKeyId"),
        *("UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure", "InvalidSecurity"),
        "IncompleteSignature",
    }
)

_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

_ACTIONS = MappingProxyType({"SendMessageBatch": "SendMessage"})
"""Operations that another operation's permission is asked for."""


@contextmanager
def refusals(service: str, missing: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Turn what AWS raises into :class:`AccessRefused` or, where waiting can help, :class:`StoreUnavailable`.

    ``service`` is its prefix in a policy's actions (``sqs``); ``missing`` has sentences for codes that mean, of
    the call at hand, that something is not there.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, service, missing) from error
    except BotoCoreError as error:
        raise _unanswered(error, service) from error


def _answered(error: ClientError, service: str, missing: Mapping[str, str]) -> KuaixintongError:
    code = error.response.get("Error", {}).get("Code", "")
    action = _ACTIONS.get(error.operation_name, error.operation_name)
    if code in missing:
        return AccessRefused(missing[code])
    if code in _NO_PERMISSION:
        return AccessRefused(
            f"These AWS credentials do not permit {service}:{action}; its policy has to be widened."
        )
    if code in _UNKNOWN_CREDENTIALS:
        return AccessRefused(f"AWS does not know these credentials, or no longer ({code}); log in again.")
    if code in _NO_QUEUE:
        return AccessRefused(
            "The queue is not there: the stack's outputs name another one by now, or the region differs."
        )
    return StoreUnavailable(f"{service} {error.operation_name}: {code}")


def _unanswered(error: BotoCoreError, service: str) -> KuaixintongError:
    match error:
        case ProfileNotFound():
            return AccessRefused(f"There is no AWS profile of that name ({error.kwargs.get('profile')}).")
        case NoRegionError():
            return AccessRefused("No AWS region is set: name one, or set AWS_REGION.")
        case NoCredentialsError():
            return AccessRefused("No AWS credentials were found: set AWS_PROFILE or log in, as for the AWS CLI.")
        case PartialCredentialsError() | CredentialRetrievalError() | TokenRetrievalError() | SSOError():
            return AccessRefused(f"The AWS credentials cannot be read ({type(error).__name__}); log in again.")
        case _:
            return StoreUnavailable(f"{service} was not reached: {type(error).__name__}")


_PREFIXES = MappingProxyType({"DynamoDB": "dynamodb", "SQS": "sqs", "Secrets Manager": "secretsmanager"})
"""Services as :func:`kuaixintong.stores.aws.our_errors` calls them, and as a policy's actions do."""


def explained(error: KuaixintongError) -> KuaixintongError:
    """Return what a person has to do about an error: where AWS has refused them, :class:`AccessRefused`.

    A function's errors say that its store is not available, and no more: it can only try again. Somebody whose
    credentials are missing or do not permit something has to be told that.
    """
    cause = error.__cause__
    if not isinstance(error, StoreUnavailable) or not isinstance(cause, (ClientError, BotoCoreError)):
        return error
    service = next((prefix for name, prefix in _PREFIXES.items() if str(error).startswith(name)), None)
    if service is None:
        told: KuaixintongError = error
    elif isinstance(cause, ClientError):
        told = _answered(cause, service, _GONE)
    else:
        told = _unanswered(cause, service)
    if isinstance(cause, ClientError) or not isinstance(told, StoreUnavailable):
        return told
    return StoreUnavailable(f"{told}. Check the network, the proxy and the region.")


_GONE = MappingProxyType(
    {
        "ResourceNotFoundException": "What the stack's outputs name is not there: it was removed, or "
        "restored under another name.",
    }
)
