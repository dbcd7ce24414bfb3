"""Faults between boto3 and its service: chosen calls fail before they leave."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

type Fault = AWSResponse | Exception | None


class _Body:
    """What botocore reads an answer's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def answer(body: bytes, status: int = 200) -> AWSResponse:
    """An answer of DynamoDB, to the byte."""
    headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse("https://dynamodb", status, headers, _Body(body))


def refusal(code: str, status: int = 400) -> AWSResponse:
    """An answer of DynamoDB that says no."""
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "words that may quote a row"}}'
    return answer(body.encode(), status)


def client_error(code: str, operation: str) -> ClientError:
    """What boto3 raises where AWS says no."""
    return ClientError({"Error": {"Code": code, "Message": "words that may quote a row"}}, operation)


class Faults:
    """Makes chosen calls of a client fail, ``after`` moto has acted on them or before.

    ``fail`` decides by the number of the call, from 0. boto3 repeats some of what fails after, as it would.
    """

    def __init__(self, client: Any, operation: str, fail: Callable[[int], Fault], *, after: bool = False) -> None:
        service = client.meta.service_model.service_id.hyphenize()
        events = client.meta.events
        if after:
            # moto acts in a handler of "before-send": answers are made before it and stand, errors come after it.
            # Handlers of the longer name would all come before it.
            self._event = f"before-send.{service}.{operation}"
            events.register_first(self._event, self._answer)
            events.register_last("before-send", self._break)
        else:
            events.register_first(f"before-call.{service}.{operation}", self._forestall)
        self.calls = 0
        self.failed = 0
        self._fail = fail
        self._fault: Fault = None

    def _decide(self) -> Fault:
        self._fault = self._fail(self.calls)
        self.calls += 1
        self.failed += self._fault is not None
        return self._fault

    def _answer(self, **_: Any) -> AWSResponse | None:
        fault = self._decide()
        return None if isinstance(fault, Exception) else fault

    def _break(self, *, event_name: str, **_: Any) -> None:
        if event_name == self._event and isinstance(self._fault, Exception):
            raise self._fault

    def _forestall(self, *, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        fault = self._decide()
        if isinstance(fault, Exception):
            raise fault
        if fault is None:
            return None
        headers: Any = fault.headers
        said = {"body": fault.content, "headers": headers, "status_code": fault.status_code}
        return fault, create_parser("json").parse(said, model.output_shape)
