"""One deployment for the whole run: the real template, built and deployed by SAM into emulated AWS.

Functions run as their roles: what the template does not allow them is denied. The sender's times are the shortest
that the template knows, so that a message which comes back does so soon; the account is checked when a test asks.
"""

from collections.abc import Iterator

import pytest

from local.simulator.running import RunningSimulator, running_simulator
from local.stack import EmulatedStack
from tests.e2e.deployment import ACCOUNT, Deployment


@pytest.fixture(scope="package")
def shared_platform() -> Iterator[RunningSimulator]:
    """The simulated platform of the run; tests take ``platform``, which is as new."""
    with running_simulator(pwd=ACCOUNT.pwd) as platform:
        yield platform


@pytest.fixture(scope="package")
def shared_deployment(shared_platform: RunningSimulator) -> Iterator[Deployment]:
    """The deployment of the run; tests take ``deployment``, which is as new."""
    parameters = {
        "SenderTimeout": "10",
        "ConnectTimeout": "1",
        "AnswerTimeout": "2",
        "CheckRateMinutes": "1440",
        "Events": "true",
    }
    with EmulatedStack("test", platform_url=shared_platform.url, parameters=parameters, enforce_iam=True) as stack:
        yield Deployment(stack, shared_platform)


@pytest.fixture
def deployment(shared_deployment: Deployment) -> Deployment:
    """The deployment with empty queues, an account that nothing is known of, and a platform as new."""
    shared_deployment.begin_anew()
    return shared_deployment


@pytest.fixture
def platform(deployment: Deployment) -> RunningSimulator:
    """The simulated platform that the deployment talks to."""
    return deployment.platform
