"""Shared by all tests: no test ever reaches a real AWS account."""

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

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


SHARED = ("tests/e2e/", "tests/console/")
"""Folders whose tests share something that takes long to be up: a deployment, a console."""

OF_THEIR_OWN = ("pages", "demo", "install", "network", "console")
"""Tests in ``e2e`` that share nothing with the others, and bring a stack up themselves."""


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Hands tests out one by one, but to one worker what shares something, and in its order."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if any(path == f"tests/e2e/test_{name}.py" for name in OF_THEIR_OWN):
            return path
        return next((folder for folder in SHARED if path.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Decide what runs where: xdist's own groups are lost with this pytest, which keeps names to itself."""
    return _Together(config, log) if config.getvalue("dist") == "loadscope" else None
