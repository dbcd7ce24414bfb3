"""What the whole run has left in the functions' logs: nothing that identifies anyone or opens anything.

Runs last of the tests that share the deployment (its name comes last), so that it sees what all of them caused.
"""

import json
import re

from local.processes import wait_until
from tests.e2e.deployment import ACCOUNT, Deployment

WHOLE_MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86)?1[3-9][0-9]{9}(?![0-9A-Za-z])")
CONTENTS = ("周末参加不了培训了", "你好吗", "我不好", "暴风雨就要来了")
LEAST_LINES = 100


MASKED_ID, ID = "139****5678-code", "13912345678-code"


def test_no_log_line_of_the_whole_run_tells_a_password_a_content_or_a_whole_mobile(
    deployment: Deployment,
) -> None:
    deployment.enqueue({"id": ID, "mobiles": ["13912345678"], "content": "你好吗"})
    deployment.settled(ID)

    def its_line_is_there() -> list[str]:
        lines = _lines(deployment)
        return lines if any(MASKED_ID in line or ID in line for line in lines) else []

    lines = wait_until(its_line_is_there, "the log tells of a send whose id is made of a mobile", seconds=120)
    assert len(lines) >= LEAST_LINES, "the run has hardly logged anything: there is nothing to judge"
    secrets = (ACCOUNT.pwd, deployment.push_credentials["pwd"])
    told = [line for line in lines if any(text in _decoded(line) for text in (*CONTENTS, *secrets))]
    told += [line for line in lines if WHOLE_MOBILE.search(_decoded(line))]
    assert not told, told[:3]


def _lines(deployment: Deployment) -> list[str]:
    logs = deployment.aws.logs
    groups = [
        each["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for each in page["logGroups"]
    ]
    return [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]


def _decoded(line: str) -> str:
    """Undo JSON's escapes, which could hide Chinese text."""
    try:
        return json.dumps(json.loads(line), ensure_ascii=False)
    except ValueError:
        return line
