"""Shared by all tests: no test ever reaches a real AWS account."""

import os

import pytest
from hypothesis import settings

from local import environment

environment.forget_the_users()
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    POWERTOOLS_TRACE_DISABLED="true",
    POWERTOOLS_METRICS_NAMESPACE="Kuaixintong",
    POWERTOOLS_SERVICE_NAME="test",
)

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("kuaixintong", deadline=None)
settings.load_profile("kuaixintong")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep e2e tests together on one of the workers that run side by side: they share one deployment."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("e2e"))
