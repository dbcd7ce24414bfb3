"""Every error of the project, split by who has to act.

::

    KuaixintongError
    ├── RequestWrong            whoever sent it has to change it
    │   ├── SendRefused         a queue message that breaks the rules of a send
    │   ├── FileRefused         a file of people that cannot be sent under its campaign
    │   ├── PushForbidden       a push without the right credentials
    │   ├── PushUnreadable      a push with the right credentials that cannot be read
    │   ├── PageUnknown         a page of a listing is asked for by what is no token of it
    │   └── NotConfirmed        a person's word on a part that does not fit what the tables say
    ├── OperatorNeeded          a person has to mend the deployment
    │   ├── SettingsMissing     the function's environment is incomplete or contradicts itself
    │   ├── CredentialsUnusable a secret that lacks a field or is no JSON object
    │   └── AccessRefused       AWS does not let whoever asks: no credentials, no permission, no such stack
    ├── TryLater                nothing is wrong with the request; the same again will do
    │   ├── StoreUnavailable    an AWS service did not do what was asked
    │   ├── ClockAstray         this machine's clock, or the account's sequence, is not to be trusted
    │   ├── TooSlow             the time that is left was too short
    │   ├── ClaimLost           the row has moved on under a worker that believed it owned it
    │   └── NotAllEnqueued      some of a producer's sends did not go in; it says which
    └── NoAnswer                the platform may or may not have acted
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from kuaixintong.core.masking import mask_all

if TYPE_CHECKING:
    from kuaixintong.core.enqueueing import Enqueued, NotEnqueued

_MOST_NAMED = 3


class KuaixintongError(Exception):
    """Root of the hierarchy; never raised itself."""


class RequestWrong(KuaixintongError):
    """The request itself is at fault; repeating it unchanged cannot help."""


class SendRefused(RequestWrong):
    """A queue message that is no valid send.

    ``faults`` holds every fault as a sentence that names the field, the value and the rule.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = tuple(faults)


class FileRefused(RequestWrong):
    """A file of people whose campaign is another file's, or somebody else's, or cancelled."""


class PushForbidden(RequestWrong):
    """``uid`` or ``pwd`` of a push is missing or wrong."""


class PushUnreadable(RequestWrong):
    """A push with the right credentials whose ``type`` or ``jsonData`` cannot be understood."""


class PageUnknown(RequestWrong):
    """What asks for a listing's next page is no token of that listing."""


class NotConfirmed(RequestWrong):
    """A person's word on a part does not fit what the tables say; the text is a sentence that says why."""


class OperatorNeeded(KuaixintongError):
    """The deployment is at fault; a person has to mend it."""


class SettingsMissing(OperatorNeeded):
    """An environment variable is missing, malformed, or contradicts another one."""


class CredentialsUnusable(OperatorNeeded):
    """A secret is no JSON object or lacks a field. Its text is never part of the message."""


class AccessRefused(OperatorNeeded):
    """AWS does not let whoever asks; the text is a sentence that says what is missing and how to get it."""


class TryLater(KuaixintongError):
    """The same request, repeated later, can succeed."""


class StoreUnavailable(TryLater):
    """An AWS service did not answer, throttled the call, or failed inside."""


class ClockAstray(TryLater):
    """A clock is wrong: this machine's, or once that of a machine that has moved the account's sequence."""


class TooSlow(TryLater):
    """The time that is left is too short: for reading a push, or for counting very many one-time codes."""


class ClaimLost(TryLater):
    """A result could not be written, because the claim it belongs to is no longer the row's."""


class NotAllEnqueued(TryLater):
    """Some of a producer's sends did not go in, or it is not known whether they did.

    ``enqueued`` and ``failed`` hold what became of every send. Each of ``failed`` has its fields, with its id:
    enqueued again, it can do no harm, whatever became of it.
    """

    def __init__(self, enqueued: "Sequence[Enqueued]", failed: "Sequence[NotEnqueued]") -> None:
        named = "; ".join(f"{mask_all(each.send_id)}: {each.why}" for each in failed[:_MOST_NAMED])
        more = f"; and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
        super().__init__(
            f"{len(failed)} of {len(enqueued) + len(failed)} sends did not go in ({named}{more}). Enqueued again "
            "under the same ids, none of them is sent twice."
        )
        self.enqueued = tuple(enqueued)
        self.failed = tuple(failed)


class Unanswered(StrEnum):
    """Why there was no answer; the value is what a log line and a metric carry."""

    NAME_NOT_FOUND = "name not found"
    REFUSED = "connection refused"
    CONNECT_TIMEOUT = "no connection in time"
    NO_CONNECTION = "no connection"  # any other trouble before there was one, such as no route
    CERTIFICATE = "certificate refused"  # by us: the platform could not prove who it is
    TLS = "tls"  # whatever else goes wrong with TLS, before the request or after it
    RESET = "reset"  # closed or reset by the other side
    TIMED_OUT = "timed out"
    HTTP_STATUS = "http status"
    UNREADABLE = "unreadable"


class NoAnswer(KuaixintongError):
    """No readable answer came.

    ``left`` is false only if the request provably never left: the name was not found, no connection was made, or
    we refused the server's certificate, before the first byte of the request was handed over. It is known from
    where it happened, never from an exception's class. In every other case the platform may have acted on the
    request, so it counts as unanswered (contract, section 2).

    ``reason`` says why, ``status`` is the HTTP status where that is the reason. The error's text is a sentence for
    the log and for the part's ``words``: no address, no secret, nothing of the request or of the answer.
    """

    def __init__(self, words: str, reason: Unanswered, *, left: bool = True, status: int | None = None) -> None:
        super().__init__(words)
        self.reason = reason
        self.left = left
        self.status = status
