"""The tests themselves look at nobody's proxies, profiles and endpoints."""

import os
import subprocess
import sys

import boto3
import requests

from local.records import ROOT
from tests.e2e.test_demo import HOSTILE

LOOKS = f"""
import os
os.environ.update({HOSTILE!r})
import tests.conftest
from tests.unit import test_environment
test_environment.test_no_request_of_a_test_leaves_by_a_proxy()
test_environment.test_no_client_of_a_test_knows_a_profile_or_another_endpoint()
"""


def test_no_request_of_a_test_leaves_by_a_proxy() -> None:
    for url in ("http://127.0.0.1:1/", "https://here.example/"):
        with requests.Session() as session:
            settings = session.merge_environment_settings(url, {}, None, None, None)
        assert not settings["proxies"]


def test_no_client_of_a_test_knows_a_profile_or_another_endpoint() -> None:
    assert boto3.Session().profile_name == "default"
    assert boto3.client("sqs").meta.endpoint_url == "https://sqs.us-east-1.amazonaws.com"


def test_it_is_so_in_any_shell() -> None:
    subprocess.run([sys.executable, "-c", LOOKS], cwd=ROOT, env={**os.environ, "NO_PROXY": ""}, check=True)
