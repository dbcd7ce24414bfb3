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
