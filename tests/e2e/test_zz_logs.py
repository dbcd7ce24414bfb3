"""What the whole run has left in the functions' logs: nothing that identifies anyone or opens anything.

Runs last of the tests that share the deployment (its name comes last), so that it sees what all of them caused.
"""

import json
import re

from local.simulator.settings import Settings
from tests.e2e.deployment import Deployment

WHOLE_MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86)?1[3-9][0-9]{9}(?![0-9A-Za-z])")
CONTENTS = ("周末参加不了培训了", "你好吗", "我不好", "storm")
LEAST_LINES = 100


def test_no_log_line_of_the_whole_run_tells_a_password_a_content_or_a_whole_mobile(
    shared_deployment: Deployment,
) -> None:
    logs = shared_deployment.aws.logs
    groups = [
        each["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for each in page["logGroups"]
    ]
    lines = [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    assert len(lines) >= LEAST_LINES, "the run has hardly logged anything: there is nothing to judge"
    secrets = (Settings().pwd, shared_deployment.push_credentials["pwd"])
    told = [line for line in lines if any(text in _decoded(line) for text in (*CONTENTS, *secrets))]
    told += [line for line in lines if WHOLE_MOBILE.search(_decoded(line))]
    assert not told, told[:3]


def _decoded(line: str) -> str:
    """Undo JSON's escapes, which could hide Chinese text, and leave our own ids of sends out."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    return json.dumps({name: value for name, value in entry.items() if name != "send_id"}, ensure_ascii=False)
