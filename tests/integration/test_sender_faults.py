"""A fault in the sender's own program: the message comes back, and somebody is told."""

import io
import json
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock, patch

from functions.sender import handler
from tests.e2e.deployment import record
from tests.receiving import Context, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SEND = {"mobiles": ["13708600860"], "content": "周末参加不了培训了"}


def test_a_send_that_fails_comes_back_and_is_counted_and_logged_without_its_content() -> None:
    submitter = Mock()
    submitter.take.side_effect = TypeError(f"cannot read {SEND}")
    log = io.StringIO()
    with (
        patch.object(handler, "_settings", Mock()),
        patch.object(handler, "_submitter", lambda: submitter),
        patch.object(handler.logger.registered_handler, "stream", log),
        redirect_stdout(log),
    ):
        answer: Any = handler.lambda_handler({"Records": [record("m-1", SEND)]}, cast("LambdaContext", Context()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert metrics(log.getvalue()) == {"SendErrors": 1}
    [line] = [json.loads(each) for each in log.getvalue().splitlines() if "send failed" in each]
    assert (line["level"], line["error"], line["message_id"]) == ("ERROR", "TypeError", "m-1")
    assert "handler.py" in line["where"] or "mock.py" in line["where"]
    assert [word for word in ("13708600860", "周末") if word in log.getvalue()] == []
