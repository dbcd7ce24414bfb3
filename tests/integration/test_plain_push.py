"""Pushes that come through a load balancer, on plain HTTP: its events are not quite API Gateway's."""

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests import spec_samples
from tests.receiving import Receiver

REPORTS = [("7331", "13500000000#0#1"), ("8469", "13700000000#2:46#0")]


@pytest.fixture
def receiver(aws: None) -> Receiver:
    return Receiver()


def balanced(method: str, query: dict[str, str], content_type: str, body: str, *, encoded: bool) -> dict[str, Any]:
    """An event as AWS documents it: header names in lower case, query as it was on the wire, single values."""
    return {
        "requestContext": {
            "elb": {
                "targetGroupArn": "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:"
                "targetgroup/Recei-Recei-1ABCDEFGHIJKL/49e9d65c45c6791a"
            }
        },
        "httpMethod": method,
        "path": "/prod/receive",
        "queryStringParameters": query,
        "headers": {
            "accept": "*/*",
            "content-length": str(len(body)),
            "content-type": content_type,
            "host": "push-1234567890.cn-north-1.elb.amazonaws.com.cn:8080",
            "user-agent": "Java/1.6.0_45",
            "x-amzn-trace-id": "Root=1-67415a2b-0e3c1d2f4a5b6c7d8e9f0a1b",
            "x-forwarded-for": "121.40.152.72",
            "x-forwarded-port": "8080",
            "x-forwarded-proto": "http",
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def test_a_form_is_taken_in(receiver: Receiver) -> None:
    # a load balancer encodes every body but text, JSON, JavaScript and XML
    body = base64.b64encode(spec_samples.REPORT_FORM).decode()
    event = balanced("POST", {}, "application/x-www-form-urlencoded; charset=UTF-8", body, encoded=True)
    answer = receiver.take(event)
    assert (answer.status, answer.body) == (200, "0")
    assert [(row["token"], row["outcome"]) for row in receiver.reports()] == REPORTS


def test_json_is_taken_in(receiver: Receiver) -> None:
    body = (
        f'{{"uid": "{receiver.uid}", "pwd": "{receiver.pwd}", "type": "mo", '
        f'"jsonData": {spec_samples.MO_JSON_DATA}}}'
    )
    event = balanced("POST", {}, "application/json", body, encoded=False)
    answer = receiver.take(event)
    assert (answer.status, answer.body) == (200, "0")
    assert [row["content"] for row in receiver.mos()] == ["你好吗", "我不好"]


def test_a_query_is_decoded_once(receiver: Receiver) -> None:
    # what arrives is what the caller wrote: percent signs, plus signs and all
    entries = '[{"mobile": "13500000000", "content": "100%25 + 1 好", "smgRecvDate": "2015-01-01 12:00:00"}]'
    query = {"uid": receiver.uid, "pwd": receiver.pwd, "type": "mo", "jsonData": quote_plus(entries)}
    answer = receiver.take(balanced("GET", query, "", "", encoded=False))
    assert (answer.status, answer.body) == (200, "0")
    assert [row["content"] for row in receiver.mos()] == ["100%25 + 1 好"]


def test_a_wrong_password_is_forbidden(receiver: Receiver) -> None:
    query = {"uid": receiver.uid, "pwd": "wrong", "type": "mo", "jsonData": "%5B%5D"}
    answer = receiver.take(balanced("GET", query, "", "", encoded=False))
    assert (answer.status, answer.body) == (403, "forbidden")
    assert receiver.everything() == []
